"""How the page looks: colours, spacing, and what is written in HTML. Nothing is loaded from elsewhere."""

import base64
import html

from ..data.images.encode import encode
from .pictures import Level, Prediction

CSS = """
.gradio-container { padding: 0 !important; max-width: none !important; }
.gradio-container .app { width: 100% !important; max-width: 1180px !important; margin: 0 auto !important;
  padding: 26px 22px 44px !important; }
footer { display: none !important; }
#top { display: flex; align-items: baseline; gap: 6px 14px; flex-wrap: wrap; padding: 0 2px 6px; }
#top h1 { font-size: 29px; font-weight: 600; letter-spacing: -0.02em; line-height: 1.2; margin: 0; }
#top h1 b { color: var(--primary-600); font-weight: 600; }
#top p { margin: 0; color: var(--body-text-color-subdued); font-size: 17px; }
#top span { margin-left: auto; font-size: 13px; color: var(--body-text-color-subdued);
  border: 1px solid var(--border-color-primary); border-radius: 99px; padding: 3px 12px; }
#photo { height: 300px; }
#result, #map { height: 452px; }
#result .empty::after { content: "Your cut-out appears here"; position: absolute; margin-top: 66px;
  color: var(--body-text-color-subdued); font-size: 15px; }
#type .wrap { gap: 8px; }
#type label { border-radius: 99px !important; padding: 6px 15px !important; cursor: pointer; }
#type label input { position: absolute; opacity: 0; width: 0; }
#type label span { margin: 0; }
#type label.selected { background: var(--primary-600) !important; border-color: var(--primary-600) !important; }
#type label.selected span { color: #fff; }
#type label:focus-within { outline: 2px solid var(--primary-400); outline-offset: 2px; }
#download { border-radius: 10px; min-height: 46px; font-weight: 600; background: var(--primary-600); }
#pyramid .stages { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px 12px; align-items: start; }
#pyramid .stage { display: flex; flex-direction: column; gap: 10px; min-width: 0; }
#pyramid figure { margin: 0; min-width: 0; }
#pyramid img { width: 100%; border-radius: 8px; display: block; border: 1px solid var(--border-color-primary);
  image-rendering: pixelated; }
#pyramid figcaption { font-size: 13px; color: var(--body-text-color-subdued); padding-top: 4px; line-height: 1.3; }
#pyramid figcaption b { color: var(--body-text-color); font-size: 14px; font-weight: 600; }
#pyramid p { color: var(--body-text-color-subdued); font-size: 15px; margin: 0 0 14px; max-width: 46rem; }
@media (max-width: 760px) { /* one column: image, result, download, and then what can be changed */
  .gradio-container .app { padding: 14px 12px 32px !important; }
  #top h1 { font-size: 25px; } #top p { width: 100%; font-size: 16px; } #top span { margin-left: 0; }
  #inputs, #outputs { display: contents; }
  #inputs > * { order: 3; } #inputs > #photo, #inputs > #photo ~ div:has(.gallery) { order: 1; } #outputs > * { order: 2; }
  #photo { height: 240px; }
  #result, #map { height: 300px; }
  #pyramid .stages { grid-template-columns: 1fr; gap: 12px; }
  #pyramid .stage { display: grid; grid-template-columns: 1fr 1fr; }
  #type label { padding: 6px 13px !important; }
}
"""
EMPTY = "<p>Drop an image to see the levels that the network builds, from coarse to fine.</p>"
EXPLANATION = (
    "The network finds the object in a coarse map first. Each stage enlarges the map before it and adds detail: "
    "grey changes nothing, bright adds to the object, dark takes away."
)


def header(network: str) -> str:
    """Name, purpose, and what computes."""
    return (
        '<div id="top"><h1>inspy<b>re</b>net</h1><p>Find what catches the eye, and cut it out.</p>'
        f"<span>{html.escape(network)}</span></div>"
    )


def pyramid(prediction: Prediction) -> str:
    """The stages as HTML: each map, and below it the detail that was added."""
    stages = "".join(f'<div class="stage">{"".join(map(_figure, stage))}</div>' for stage in prediction.stages)
    return f'<p>{EXPLANATION}</p><div class="stages">{stages}</div>'


def _figure(level: Level) -> str:
    data = base64.b64encode(encode(level.picture, "png")).decode()
    height, width = level.size
    what = "map" if level.name.startswith("S") else "added detail"
    return (
        f'<figure><img alt="{what} {level.name}" src="data:image/png;base64,{data}">'
        f"<figcaption><b>{level.name}</b> {what}, {width}×{height}</figcaption></figure>"
    )
