"""The frame and the looks of report.html."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{title}}</title>
<style>{{style}}</style>
</head>
<body>
<header><h1>{{title}}</h1><nav id="tabs" aria-label="Sections"></nav></header>
<main>
<section id="table-section">
  <div class="bar"><h2>Scores</h2><label><input type="checkbox" id="show-intervals"> 95 % intervals</label></div>
  <div class="scroll"><table id="scores"></table></div>
  <details><summary>Conventions and definitions</summary><ul id="notes"></ul></details>
</section>
<section id="set-section">
  <div class="bar"><h2>Data set</h2><div id="sets" class="choices" role="tablist"></div></div>
  <div id="legend" class="legend"></div>
  <div id="charts" class="charts"></div>
</section>
<section id="gallery-section">
  <div class="bar"><h2>Images</h2>
    <label>sort by <select id="sort-metric"></select></label>
    <label>of <select id="sort-method"></select></label>
    <label><select id="sort-order">
      <option value="worst">worst first</option><option value="best">best first</option><option value="name">by name</option>
    </select></label>
    <label>find <input id="find" type="search" placeholder="part of a name" size="16"></label>
    <span id="count" class="quiet"></span>
  </div>
  <div id="gallery"></div>
  <div id="more"></div>
</section>
</main>
<dialog id="viewer"></dialog>
<div id="tip" role="status"></div>
<script type="application/json" id="data">{{data}}</script>
<script>{{script}}</script>
</body>
</html>
"""

STYLE = """
:root{color-scheme:light dark}
:root{--bg:#fbfbfa;--card:#fff;--ink:#1c1d1f;--quiet:#6b6f76;--line:#e4e4e1;--accent:#2457a6;--wash:#eef2f8;
--c0:#2457a6;--c1:#d1600f;--c2:#17805f;--c3:#a3338f;--c4:#8a6d00;--c5:#c23344;--c6:#4b7f92;--c7:#5b5bbf;
--over:#d9402f;--miss:#2f6fd9}
@media (prefers-color-scheme:dark){:root{--bg:#141517;--card:#1d1f22;--ink:#e9e9e6;--quiet:#9a9ea6;--line:#33363b;
--accent:#86aef0;--wash:#242a35;--c0:#86aef0;--c1:#f0a064;--c2:#5cc9a4;--c3:#e08ad0;--c4:#d8be4a;--c5:#f08592;
--c6:#93c4d6;--c7:#aaaaf5}}
*{box-sizing:border-box}
html{scroll-padding-top:64px}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{position:sticky;top:0;z-index:5;display:flex;gap:24px;align-items:baseline;padding:12px 24px;background:var(--card);
border-bottom:1px solid var(--line)}
h1{font-size:17px;margin:0;font-weight:650}
h2{font-size:15px;margin:0;font-weight:650}
nav a{color:var(--quiet);text-decoration:none;margin-right:16px}
nav a:hover{color:var(--accent)}
main{max-width:1280px;margin:0 auto;padding:8px 24px 64px}
section{margin-top:24px}
.bar{display:flex;flex-wrap:wrap;gap:8px 18px;align-items:center;margin-bottom:10px}
.quiet{color:var(--quiet)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:7px 12px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}
thead th{font-weight:600;color:var(--quiet);cursor:pointer;user-select:none}
thead th:hover,thead th[aria-sort]{color:var(--ink)}
thead th[aria-sort=ascending]::after{content:" \\2191"}
thead th[aria-sort=descending]::after{content:" \\2193"}
tbody tr:hover{background:var(--wash)}
td.best{font-weight:700}
td.second{text-decoration:underline;text-underline-offset:3px}
td small{display:block;color:var(--quiet);font-size:11px}
details{margin-top:8px;color:var(--quiet)}
details ul{margin:6px 0;padding-left:20px;max-width:90ch}
.choices button,select,input[type=search]{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);
border-radius:6px;padding:3px 10px}
.choices{display:flex;flex-wrap:wrap;gap:6px}
.choices button{cursor:pointer}
.choices button[aria-selected=true]{border-color:var(--accent);color:var(--accent);background:var(--wash)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin-bottom:8px;min-height:4px}
.legend i{display:inline-block;width:18px;height:0;border-top:3px solid;border-radius:2px;vertical-align:middle;margin-right:6px}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:14px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px 6px}
figcaption{display:flex;justify-content:space-between;gap:8px;font-weight:600;font-size:13px}
figcaption span{font-weight:400;color:var(--quiet)}
svg{width:100%;height:auto;display:block;overflow:visible}
svg text{fill:var(--quiet);font-size:10px}
svg .grid{stroke:var(--line);stroke-width:1}
svg .cross{stroke:var(--quiet);stroke-width:1;stroke-dasharray:2 3}
.row{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px;margin-bottom:10px;cursor:zoom-in}
.row:hover{border-color:var(--accent)}
.row header{all:unset;display:flex;flex-wrap:wrap;gap:2px 18px;margin-bottom:6px;font-variant-numeric:tabular-nums}
.row b{font-weight:600;overflow-wrap:anywhere}
.panels{display:flex;flex-wrap:wrap;gap:8px}
.panels div{flex:1 1 0;min-width:108px;max-width:176px;text-align:center;font-size:11px;color:var(--quiet)}
.panels img,.panels canvas{display:block;width:100%;height:auto;border-radius:3px;background:#fff;margin-bottom:3px;
outline:1px solid var(--line)}
#tip{position:fixed;z-index:9;display:none;pointer-events:none;background:var(--card);border:1px solid var(--line);
border-radius:6px;padding:5px 9px;font-size:12px;box-shadow:0 3px 12px #0003;font-variant-numeric:tabular-nums;white-space:pre}
dialog{max-width:min(96vw,1200px);background:var(--card);color:var(--ink);border:1px solid var(--line);border-radius:10px;
padding:18px 22px}
dialog::backdrop{background:#000a}
dialog .panels{margin-top:14px}
dialog .panels div{flex:0 1 224px;max-width:none}
dialog .scroll{margin-top:14px}
dialog button{float:right;font:inherit;background:none;border:0;color:var(--quiet);cursor:pointer}
@media print{header{position:static}#gallery-section{display:none}}
"""
