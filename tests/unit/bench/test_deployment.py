"""A deployment of many tenants keeps up on as many instances as it is sized for."""

from tests.bench.cloud import UNASKED, Deployment
from tests.bench.deployment import BUSY, SHORT, UNMEASURED, simulate
from tests.bench.sizing import Assumed, consume_instances, poll_instances


def test_ticks_keep_up_on_the_instances_sized_and_not_on_one_less() -> None:
    """Each tick after a deployment ends before the next one, and no tenant waits for longer than
    two; with an instance less some tick does not, so the size is no waste either."""
    sized, less = simulate(SHORT, UNMEASURED, Assumed())
    assert sized.keeps_up, sized.json()
    assert sized.unasked < UNASKED
    assert sized.settled > 0.8 * SHORT.rate * 60 * SHORT.ticks
    assert sized.poll == less.poll + 1
    assert not less.keeps_up, less.json()


def test_busy_tenants_keep_up_too_and_not_on_half() -> None:
    """Long shards leave fewer gaps than many short ones, so there the size has some reserve."""
    load, assumed = (BUSY.tenants, BUSY.rate), Assumed()
    shards = poll_instances(UNMEASURED, assumed, load, BUSY.settings) - 1
    consumers = consume_instances(UNMEASURED, assumed, load)
    kept = {
        number: Deployment(BUSY, UNMEASURED, assumed).run(2, number, consumers)
        for number in (shards, shards // 2)
    }
    assert kept[shards].keeps_up, kept[shards].json()
    assert not kept[shards // 2].keeps_up, kept[shards // 2].json()
