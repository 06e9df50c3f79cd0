"""pretalx' conferences: speakers known by e-mail; the CPF is an answer to a question."""

from sqlalchemy import Engine

from tests.erp.schemas.filling import Filling, filling
from tests.erp.schemas.people import Person, people

SPEAKERS, INVITED = 9, 3
_CPF_QUESTION, _SIZE_QUESTION = 7, 8


def fill(engine: Engine) -> Filling:
    """Add speakers with what they wrote, and some who were only invited."""
    with filling(engine) as conference:
        for number, person in enumerate(people(SPEAKERS + INVITED, seed=3)):
            if number < SPEAKERS:
                _speaker(conference, person)
            emails = person.emails()
            conference.add("event_teaminvite", person, email=next(emails), token=f"t{number}")
            text = {"subject": f"Cara {person.first}", "text": person.told(cpf=False, phone=False)}
            conference.add("mail_queuedmail", person, to=next(emails), **text)
        return conference


def _speaker(conference: Filling, who: Person) -> None:
    add, cpfs, told = conference.add, who.cpfs(), who.told(phone=False)
    user = add(
        "person_user",
        who,
        name=who.name,
        nick=who.first.lower(),
        email=next(who.emails()).strip(),
        code=f"C{who.seed:05}",
        avatar=f"avatars/{who.first.lower()}.png",
    )
    profile = {"biography": f"{who.first} {who.last} ensina.", "internal_notes": told}
    add("person_speakerprofile", who, user_id=user, event_id=1, **profile)
    add("submission_answer", who, person_id=user, question_id=_CPF_QUESTION, answer=next(cpfs))
    add("submission_answer", who, person_id=user, question_id=_SIZE_QUESTION, answer="M")
    talk = add(
        "submission_submission",
        who,
        code=f"T{who.seed:05}",
        title=f"Uma noite com {who.first}",
        abstract=f"Por {who.name}",
        notes=told,
        invitation_token=f"i{who.seed}",
        state="submitted",
    )
    add("submission_speakerrole", who, user_id=user, submission_id=talk)
    mail = add("mail_queuedmail", who, subject="Aceita", text=told, sent=None)
    add("mail_queuedmail_to_users", who, queuedmail_id=mail, user_id=user)
    said = {"name": who.name, "nested": {"mail": who.email, "others": [told, 3]}}
    add("common_activitylog", who, person_id=user, data=said, legacy_data=told)
    add("submission_review", who, user_id=user, submission_id=talk, text=f"Conheço {who.last}")
    add("submission_submissioncomment", who, user_id=user, submission_id=talk, text=told)
    add("submission_feedback", who, speaker_id=user, talk_id=talk, rating=5, review=told)
    add("person_userapitoken", who, user_id=user, name=f"de {who.first}", token=f"k{who.seed}")
