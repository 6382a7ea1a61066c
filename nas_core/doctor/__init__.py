"""Self-tests of agents and of the machine, by behaviour: what a wrong agent cannot pass."""

from nas_core.doctor.findings import Finding, Verdict
from nas_core.doctor.run import examine_agent, examine_machine

__all__ = ["Finding", "Verdict", "examine_agent", "examine_machine"]
