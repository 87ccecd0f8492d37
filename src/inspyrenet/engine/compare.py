"""Two methods on the same images: which is better, and how surely."""

from collections.abc import Sequence
from pathlib import Path

from ..plugins.metrics import register_metrics
from ..utils.config.load import ConfigError, filled_in
from ..utils.config.schema import Config
from ..utils.metrics import Comparison, compare
from ..utils.report.compare import Compared, compare_text, listed, write_comparison
from ..utils.report.html_report import write_report
from ..utils.report.owner import check_owner, traits, write_owner
from ..utils.report.tables import footnotes, number, remarks
from ..utils.report.worst import write_differences
from ..utils.system.failures import Failures
from .evaluate import Options, Scored, score_all


def compare_runs(configs: Sequence[Config], options: Options) -> str:
    """Score two folders of maps, write <result_path>/compare_<A>_<B>/ and return the text for the console.

    Images that only one method has are an error, or left out with `allow_missing`.
    """
    if scenes := [config.name for config in configs if config.Model is not None and config.Model.classes is not None]:
        raise ConfigError([f"--compare: {scenes[0]} parses scenes, and only saliency maps are compared"])
    register_metrics(configs)
    names = _names([Path(filled_in(config.Eval.pred_root, "Eval.pred_root")).resolve() for config in configs])
    folder = Path(configs[0].Eval.result_path) / f"compare_{names[0]}_{names[1]}"
    runs = {name: traits(config) for name, config in zip(names, configs, strict=True)}
    if not options.overwrite:
        check_owner(folder, runs)
    first, second = score_all(
        [config.model_copy(update={"name": name}) for config, name in zip(configs, names, strict=True)],
        options,
        Failures(of=1),  # neither can be spared
    )
    table: dict[str, Compared] = {}
    others = {matched.dataset: scores for matched, scores in second.sets}
    for matched, scores in first.sets:
        if matched.dataset in others:
            a, b = scores.scores, others[matched.dataset].scores
            both = sorted(set(a.names()) & set(b.names()))
            table[matched.dataset] = len(both), compare(a.subset(both), b.subset(both))
    if not table:
        raise ConfigError([f"{names[0]} and {names[1]} have no data set in common"])
    rows, notes = [*first.rows, *second.rows], [*dict.fromkeys((*first.notes, *second.notes))]
    beneath = footnotes(rows, first.metrics, notes, first.conventions)
    write_comparison(folder, names[0], names[1], table, beneath)
    write_owner(folder, runs)
    for other in folder.glob("largest_*.png"):  # of sets that may no longer be compared
        other.unlink()
    for dataset, (_, comparisons) in table.items():
        picture = folder / f"largest_{dataset.replace('/', '_')}.png"
        _write_pictures(picture, dataset, listed(comparisons), first, second)
    (folder / "report.html").unlink(missing_ok=True)  # of an earlier comparison
    if options.report:
        write_report(folder / "report.html", " and ".join(names), [*first.entries, *second.entries], beneath)
    return compare_text(names[0], names[1], table, [*notes, *remarks(rows)])


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with as much of the paths as tells them apart."""
    for depth in range(1, 1 + max(len(folder.parts) for folder in folders)):
        names = ["_".join(part.strip("/\\:") for part in folder.parts[-depth:]) for folder in folders]
        if names[0] != names[1]:
            return names
    raise ConfigError([f"--compare: both folders are {folders[0]}"])


def _write_pictures(path: Path, dataset: str, comparison: Comparison, first: Scored, second: Scored) -> None:
    if not comparison.largest:
        return
    pairs = [
        {pair.name: pair for matched, _ in run.sets for pair in matched.pairs if matched.dataset == dataset}
        for run in (first, second)
    ]
    metric = comparison.metric
    captions = [
        f"{name}   {metric} A {number(metric, a)}, B {number(metric, b)}   image, mask, A, B"
        for name, a, b in comparison.largest
    ]
    write_differences(path, [(pairs[0][name], pairs[1][name]) for name, _, _ in comparison.largest], captions)
