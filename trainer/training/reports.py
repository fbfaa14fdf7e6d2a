"""Where a run tells how it goes: the lines and sheets in its folder, trackers, and whoever watches. Main rank only."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from labelshards import storage
from labelshards.vocabulary import Vocabulary
from trainer import run
from trainer.metrics import Metrics
from trainer.settings import flatten
from trainer.sheet import Prediction, Sheet, png
from trainer.training.evaluation import Score
from trainer.training.tracking import Tracker, open_trackers


class Reports:
    """Writes what it is given; `start_step` steps were done by earlier processes, and what came after is forgotten."""

    def __init__(self, out: Path, record: run.RunRecord, vocabulary: Vocabulary, start_step: int) -> None:
        self._out = out
        self._title = record.config.model.name
        self._names = vocabulary.names
        settings = msgspec.to_builtins(record.config)
        self._trackers: Sequence[Tracker] = open_trackers(record.config.tracking, out, settings, start_step)
        for name in (run.METRICS_NAME, run.SCORES_NAME, run.BROKEN_NAME):
            run.drop_lines_after(out / name, start_step)

    def metrics(self, metrics: Metrics) -> None:
        """A line of metrics.jsonl."""
        run.append_lines(self._out / run.METRICS_NAME, [metrics])
        self._log(metrics.step, "train", metrics)

    def score(self, score: Score, pictures: Sequence[Prediction]) -> None:
        """A line of eval.jsonl, and a sheet if there are pictures."""
        run.append_lines(self._out / run.SCORES_NAME, [score])
        self._log(score.step, "eval", score)
        if not pictures:
            return
        sheet = Sheet(title=f"{self._title} after step {score.step:,}", names=self._names).draw(pictures)
        storage.write_bytes(str(self._out / run.SHEET_FOLDER / f"step-{score.step:08d}.png"), png(sheet))
        for tracker in self._trackers:
            tracker.picture(score.step, "eval/pictures", sheet)

    def close(self) -> None:
        """Let the trackers write what they hold."""
        for tracker in self._trackers:
            tracker.close()

    def _log(self, step: int, prefix: str, line: msgspec.Struct) -> None:
        values = flatten(msgspec.to_builtins(line))
        numbers = {f"{prefix}/{name}": value for name, value in values.items() if isinstance(value, (int, float))}
        for tracker in self._trackers:
            tracker.log(step, numbers)
