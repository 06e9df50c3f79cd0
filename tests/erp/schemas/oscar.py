"""django-oscar's shop: customers whose login is the CPF, guests with an e-mail and no account."""

from sqlalchemy import Engine

from tests.erp.schemas.filling import Filling, filling
from tests.erp.schemas.people import Person, people

CUSTOMERS, GUESTS = 9, 3


def fill(engine: Engine) -> Filling:
    """Add the customers and the guests, who share an e-mail with nobody."""
    with filling(engine) as shop:
        for number, person in enumerate(people(CUSTOMERS + GUESTS, seed=1)):
            guest = number >= CUSTOMERS
            user = None if guest else _customer(shop, person)
            for _ in range(1 + number % 3):
                _order(shop, person, user)
            _alone(shop, person)
        return shop


def _customer(shop: Filling, who: Person) -> int:
    phones, emails, names = who.phones(), who.emails(), {"first_name": who.first}
    user = shop.add(
        "auth_user",
        who,
        username=next(who.cpfs()),
        email=next(emails).strip(),
        password="pbkdf2_sha256$",
        last_name=who.last,
        is_active=True,
        **names,
    )
    home = {"line1": who.street, "line4": "São Paulo", "state": "SP", "postcode": "01310-100"}
    search = f"{who.name} {who.street} SP 01310-100"
    shop.add(
        "address_useraddress",
        who,
        user_id=user,
        last_name=who.last.upper(),
        phone_number=next(phones),
        notes=who.told(),
        search_text=search,
        hash=str(10_000 + user),
        country_id="BR",
        **names,
        **home,
    )
    shop.add("communication_email", who, user_id=user, email=next(emails), body_text=who.told())
    text = {"subject": f"Olá, {who.first}", "body": who.told()}
    shop.add("communication_notification", who, recipient_id=user, **text)
    shop.add("payment_bankcard", who, user_id=user, name=who.name.upper(), number="XXXX-1234")
    shop.add("analytics_usersearch", who, user_id=user, query=f"presente {who.first}")
    return user


def _order(shop: Filling, who: Person, user: int | None) -> None:
    emails, told = who.emails(), who.told(cpf=user is not None)
    names = {"first_name": who.first, "last_name": who.last, "line1": who.street}
    search = f"{who.name} {who.street}"
    ship = shop.add(
        "order_shippingaddress",
        who,
        phone_number=next(who.phones()),
        notes=told,
        search_text=search,
        **names,
    )
    bill = shop.add("order_billingaddress", who, search_text=search, **names)
    order = shop.add(
        "order_order",
        who,
        number=str(shop.last.get("order_order", 0)),
        user_id=user,
        guest_email="" if user else next(emails),
        shipping_address_id=ship,
        billing_address_id=bill,
        total_incl_tax=10,
    )
    shop.add("order_ordernote", who, order_id=order, message=told)
    shop.add("order_line", None, order_id=order, title="Caneca")


def _alone(shop: Filling, who: Person) -> None:
    """What knows people by their e-mail alone."""
    emails, told = who.emails(), who.told(cpf=who.seed < CUSTOMERS)
    shop.add("customer_productalert", who, email=next(emails), key=f"{who.seed:032}")
    shop.add("wishlists_wishlistsharedemail", who, email=next(emails))
    review = {"name": who.first, "email": next(emails), "body": told, "title": "Bom"}
    shop.add("reviews_productreview", who, **review)
    shop.add("communication_email", who, email=next(emails), body_html=f"<p>{told}</p>")
