"""People as Brazilian systems hold them, drawn from a seed: no two share a word of their names."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

from faker import Faker

_T = TypeVar("_T")

_CPF_FORMS: tuple[Callable[[str], str], ...] = (
    lambda it: it,
    lambda it: f"{it[:3]}.{it[3:6]}.{it[6:9]}-{it[9:]}",
    lambda it: f"{it[:9]}-{it[9:]}",
    lambda it: f" {it[:3]} {it[3:6]} {it[6:9]} {it[9:]}",
    lambda it: it.lstrip("0"),
)
_PHONE_FORMS: tuple[Callable[[str, str], str], ...] = (
    lambda area, it: f"({area}) {it[:5]}-{it[5:]}",
    lambda area, it: f"+55 {area} {it[:5]}-{it[5:]}",
    lambda area, it: f"{area}{it}",
    lambda area, it: f"0{area} {it[:5]} {it[5:]}",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, and each thing as it is said without marks."""

    first: str
    last: str
    cpf: str
    email: str
    area: str
    phone: str
    street: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def marks(self) -> list[str]:
        """What gives this person away wherever it stands: nobody else has any of it."""
        words = [word for word in self.name.split() if len(word) > 4]
        return [*words, self.cpf, self.email, f"{self.area}{self.phone}", self.street]

    def cpfs(self) -> Iterator[str]:
        """The CPF, each time in another form."""
        return (form(self.cpf) for form in cycle(_rotated(_CPF_FORMS, self.seed)))

    def phones(self) -> Iterator[str]:
        forms = cycle(_rotated(_PHONE_FORMS, self.seed))
        return (form(self.area, self.phone) for form in forms)

    def emails(self) -> Iterator[str]:
        """The address, each time in another casing, and with blanks around."""
        forms = (self.email, self.email.upper(), f" {self.email.title()} ", self.email.lower())
        return cycle(_rotated(forms, self.seed))

    def told(self, *, cpf: bool = True, phone: bool = True) -> str:
        """A note as a clerk writes one, who knows no more than stands elsewhere in the system."""
        call = f" no {next(self.phones()).strip()}" if phone else ""
        number = f"; CPF {next(self.cpfs()).strip()}" if cpf else ""
        return (
            f"Falar com {self.name.upper()}{call} ou {self.email.upper()}{number}. "
            f"{self.first} prefere à tarde."
        )


def people(number: int, seed: int) -> list[Person]:
    """Draw so many; the CPFs begin with a zero in each third."""
    fake = Faker("pt_BR")
    fake.seed_instance(seed)
    taken: set[str] = set()

    def words(count: int) -> str:
        drawn: list[str] = []
        while len(drawn) < count:
            word = fake.first_name() if count == 1 else fake.last_name()
            plain = _plain(word)
            if len(word) > 4 and " " not in word and plain not in taken:
                taken.add(plain)
                drawn.append(word)
        return " ".join(drawn)

    found = []
    for each in range(number):
        first, last = words(1), words(2)
        cpf = "".join(filter(str.isdigit, fake.unique.cpf()))
        while (cpf[0] == "0") != (each % 3 == 0):
            cpf = "".join(filter(str.isdigit, fake.unique.cpf()))
        mail = f"{_plain(first)}.{_plain(last).replace(' ', '_')}@correio{each}.example"
        phone = f"9{fake.unique.random_number(8, fix_len=True)}"
        street = f"Rua Projetada {1_000 + 7 * each}, casa {fake.building_number()}"
        found.append(Person(first, last, cpf, mail, str(11 + each % 9), phone, street, each))
    return found


def _rotated(forms: tuple[_T, ...], by: int) -> tuple[_T, ...]:
    by %= len(forms)
    return (*forms[by:], *forms[:by])


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(it for it in decomposed if not unicodedata.combining(it))
