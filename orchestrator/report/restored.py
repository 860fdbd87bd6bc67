"""What a store that was restored from a backup cannot know, as a document and as lines for people. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from orchestrator.report.headline import many
from orchestrator.report.summary import SCHEMA


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A run of which so many ``specs`` may have been created since."""

    run: str
    plan: str
    specs: int


@dataclass(frozen=True, slots=True)
class Restored:
    """Runs with specs that are taken for lost; runs that ``waited`` and wait no more; runs that somebody goes
    on with (``busy``), which were left alone; ``diagnoses`` that ask nothing more. Of a ``dry_run`` what
    would be."""

    doubtful: tuple[Doubtful, ...]
    waited: tuple[str, ...]
    busy: tuple[str, ...]
    diagnoses: tuple[str, ...]
    dry_run: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything of what the store says becomes another."""
        return bool(self.doubtful or self.waited or self.diagnoses)

    def document(self) -> dict[str, object]:
        """The document of ``store restored --json``."""
        return {
            "schema": SCHEMA,
            "dry_run": self.dry_run,
            "doubtful": [asdict(one) for one in self.doubtful],
            "waited": list(self.waited),
            "busy": list(self.busy),
            "diagnoses": list(self.diagnoses),
        }

    def lines(self) -> list[str]:
        """For people; what a plan is called is data of others, and not escaped here."""
        would = "would be" if self.dry_run else "is"
        told = [
            f"run {one.run} of {one.plan}: {many(one.specs, 'spec')} may have been created since the backup: "
            f"{would} taken for lost; orchestrator reconcile {one.run}"
            for one in self.doubtful
        ]
        told += [
            f"run {run} waited and may have begun since the backup: {would} begun no more; submit it again "
            "if it did not"
            for run in self.waited
        ]
        collects = "would collect" if self.dry_run else "collects"
        told += [
            f"run {run} is a diagnosis that may have asked more since the backup: once it is resumed it "
            f"{collects} what it had asked, and asks nothing more"
            for run in self.diagnoses
        ]
        told += [f"run {run} goes on: stop whoever carries it out, then do this again" for run in self.busy]
        if not told:
            told.append("nothing is in doubt of the runs that this store knows")
        told.append(
            "runs that began after the backup are not known here: look for [orc- in the names of tests"
        )
        return told
