"""How to fix what a check of `health` found: by commands, and on the console's pages."""

from collections.abc import Mapping
from dataclasses import dataclass

from smartlink.i18n import Text, _, data
from smartlink.operations.health import Fix


@dataclass(frozen=True, slots=True)
class Advice:
    """What both screens tell; the tenant's name goes into the field `tenant`."""

    command: Text  # on the command line
    page: Text  # on a page of the console


def _alike(text: Text) -> Advice:
    return Advice(text, text)


ADVICE: Mapping[Fix, Advice] = {
    Fix.SIGN_IN: _alike(_("run gcloud auth application-default login")),
    Fix.DEPLOY: _alike(_("run make deploy")),
    Fix.DEPLOY_OR_ENABLE: _alike(_("run make deploy, or gcloud services enable")),
    Fix.DEPLOY_AND_WAIT: _alike(_("run make deploy, then wait")),
    Fix.SEE_APIS: _alike(_("grant roles/serviceusage.serviceUsageViewer")),
    Fix.SEE_INDEXES: _alike(_("grant roles/datastore.viewer")),
    Fix.SEE_FUNCTIONS: _alike(_("grant roles/cloudfunctions.viewer")),
    Fix.SEE_ALERTS: _alike(_("grant roles/monitoring.viewer")),
    Fix.RESTART: _alike(_("restart the local stack")),
    Fix.PUSH_CONFIG: Advice(
        data("smartlink config push FILE --yes"),
        _("push a valid file on the page Configuration"),
    ),
    Fix.SET_CLOCK: _alike(_("set this machine's clock (NTP)")),
    Fix.BROKER: _alike(
        _(
            "the broker is down, or out of this machine's reach: the relay goes on by "
            "itself once it answers; check the network, or the local stack's simulator"
        )
    ),
    Fix.ENABLE: Advice(
        data("smartlink tenants enable {tenant}"),
        _("enable the tenant on its page"),
    ),
    Fix.ROTATE: Advice(
        data("smartlink tenants rotate {tenant}"),
        _("give the tenant new credentials on its page"),
    ),
    Fix.ADOPT: Advice(
        _(
            "give it its own credentials back (smartlink tenants rotate {tenant}); if it "
            "is the same customer, smartlink tenants adopt {tenant} --reason …"
        ),
        _("give it its own credentials back; if it is the same customer, adopt them"),
    ),
    Fix.END_PAUSE: Advice(
        _("it goes on by itself; at once with smartlink tenants enable {tenant}"),
        _("it goes on by itself; at once if you enable the tenant"),
    ),
    Fix.REDRIVE: Advice(
        _(
            "smartlink stats shows the causes; redrive or discard each with smartlink "
            "messages redrive --print CODE"
        ),
        _("the page Errors shows the causes; redrive or discard each"),
    ),
    Fix.LOOK_AT_QUEUE: Advice(
        _(
            "smartlink messages list --older 15m shows which; smartlink tenants list, "
            "whether their tenants are paused"
        ),
        _("look at the messages that wait, and whether their tenants are paused"),
    ),
    Fix.RUN_JOB: Advice(
        _(
            "is the function operate deployed (make deploy)? smartlink jobs show JOB says how far "
            "it came; smartlink jobs watch JOB works yours off, smartlink jobs resume JOB one that "
            "failed"
        ),
        _(
            "is the function operate deployed (make deploy)? the page Jobs shows how far each "
            "came; resume there one that failed"
        ),
    ),
    Fix.RESUME_TICKS: _alike(
        _("run gcloud scheduler jobs resume smartlink-poll, and look at its last answer")
    ),
    Fix.READ_ALERTS: _alike(_("open each in Cloud Monitoring (Alerting): its text is its runbook")),
}
