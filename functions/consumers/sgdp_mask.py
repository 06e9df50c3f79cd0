"""SGDPMaskCommand: make a person's data anonymous, or say what that would come to.

Delivered twice, it answers twice the same: the answer is kept in the transaction that masks.
"""

from consumers.sgdp.erp import open_erp
from consumers.sgdp.exceptions import exceptions, outside_the_map
from consumers.sgdp.look_again import Masked, mask_and_look_again, would_mask
from consumers.sgdp.masking import changes, earlier_answer, keep_answer
from consumers.sgdp.messages import MaskRequest, respond
from consumers.sgdp.person import find_person, places_of
from consumers.sgdp.titulares import asked, known, note, record_titulares, same_person
from consumers.sgdp.told import reasons, told
from smartlink.consumer import Context, FatalError, Reply, consumer


@consumer("SGDPMaskCommand")
def answer_with_exceptions(request: MaskRequest, context: Context) -> Reply:
    """Mask every row about the person, and answer with what had to be kept.

    What the ERP holds of it outside the personal data map, or in rows that may be somebody else's,
    is answered too: it is no success.
    """
    erp = open_erp(context)
    identifiers = request.identifiers.needed(erp.models.identifiers)
    note(context, asked(identifiers))
    with erp.transaction() as connection:
        # First: what another delivery of the request commits from here on is told by the database.
        answer = earlier_answer(connection, context.tenant, request.request_id)
        found = find_person(connection, erp.models, identifiers)
        records = found.records
        identities = asked(identifiers).union(*known(records).values())
        note(context, identities)
        to_mask = changes(connection, records, erp.models.salt)
        masked = Masked(len(to_mask))
        if answer is None and request.to_verify:
            masked = would_mask(connection, found, to_mask)
            answer = outside_the_map(exceptions(records, masked.unclear), masked.copies)
        elif answer is None:
            # What a mask takes away, no answer can show any more.
            context.answered_first("SGDPDataCommand", same_person(identities))
            masked = mask_and_look_again(
                connection, context, erp.models, found, identifiers, to_mask
            )
            answer = outside_the_map(exceptions(records, masked.unclear), masked.copies)
            keep_answer(connection, context, request.request_id, rows=masked.rows, answer=answer)
            record_titulares(connection, context, records)
        elif to_mask:
            # Masking again might hit somebody who registered since; not masking might leave a
            # second person's data under a used id.
            message = (
                "this requestID was carried out before, yet its identifiers fit data that is not "
                "masked: have it sent again under a new requestID if that data is to be masked"
            )
            raise FatalError(message)
    debug = told(rows=masked.rows, dryRun=request.to_verify, kept=reasons(answer))
    _log(context, masked, debug, dry_run=request.to_verify)
    copies = {} if request.to_verify else _copies(context)
    return respond(context, "SGDPMaskResponse", request, exceptionAttributes=answer, **copies)


def _copies(context: Context) -> dict[str, object]:
    """Until when copies of the messages live on. What keeps copies of the ERP is the ERP's."""
    if context.copies is None:
        return {}
    until = context.copies.until(context.now)
    return {"messageCopies": [{"place": it, "until": day.isoformat()} for it, day in until.items()]}


def _log(context: Context, masked: Masked, debug: str, *, dry_run: bool) -> None:
    template = "Would mask %d rows (dry run)" if dry_run else "Masked %d rows"
    context.log.info(template, masked.rows, debug=debug)
    if masked.copies:
        places = ", ".join(map(str, masked.copies))
        context.log.error("Outside the personal data map the person's values are in: %s", places)
    if masked.unclear:
        template = "Rows hold an identifier of the person and may be somebody else's; they stay: %s"
        context.log.error(template, ", ".join(places_of(masked.unclear)))
    if masked.others:
        places = ", ".join(masked.others)
        context.log.warning("Somebody else's rows hold an equal value, and stay: %s", places)
    if masked.unsearched is None:
        context.log.info("Of this database no indexed columns are searched for what was masked")
    elif masked.unsearched:
        template = "%d indexed columns were not searched for what was masked: no right, or no time"
        context.log.info(template, masked.unsearched)
    if masked.triggers:
        names = ", ".join(masked.triggers)
        context.log.info("What these triggers write is looked for by the mask alone: %s", names)
