"""A broken schedule with as few faults as break it."""

from tests.simulation.schedule import Verdict, run_schedule


def shrink(verdict: Verdict) -> Verdict:
    """Leaves out one fault after the other, as long as the schedule stays broken."""
    best = verdict
    shorter = True
    while shorter:
        shorter = False
        for number in sorted(best.plan, reverse=True):
            plan = {other: fault for other, fault in best.plan.items() if other != number}
            again = run_schedule(best.seed, plan, small=best.small)
            if again.broken is not None:
                best, shorter = again, True
                break
    return best
