"""Synthetic people, staff and places: drawn from a seed, the same each time, and nobody's."""

from random import Random

from msgspec import Struct

FAMILIES = (
    *("Abara", "Brandt", "Castellano", "Dvořák", "Eastwick", "Farrow", "Giménez", "Hallström", "Ibanez", "Jónsson"),
    *("Kessler", "Lindqvist", "Marlowe", "Nakadai", "Okonkwo", "Petrakis", "Quill", "Rosenthal", "Sandoval", "Tran"),
    *("Underhill", "Vasquez", "Whitlock", "Xu", "Yilmaz", "Zielinski"),
)
GIVEN = {
    "F": ("Ada", "Beatriz", "Chidi", "Delia", "Elin", "Farah", "Greta", "Hana", "Ines", "Joy", "Klara", "Zoë"),
    "M": ("Amos", "Bela", "Cyrus", "Dario", "Emil", "Felix", "Goran", "Hugo", "Ivo", "Jun", "Karim", "Łukasz"),
}
STREETS = ("Alder", "Birch", "Canal", "Dock", "Elm", "Foundry", "Granary", "Harbor")
CITIES = (("Millbrook", "NY", "12545"), ("Ashford", "CT", "06278"), ("Lakemont", "PA", "16602"))


class Person(Struct, frozen=True):
    """One patient of the simulated hospital."""

    number: int
    mrn: str
    family: str
    given: str
    middle: str
    born: str
    sex: str
    street: str
    city: tuple[str, str, str]
    phone: str


class Clinician(Struct, frozen=True):
    """One of the staff, with the number that the hospital knows them by."""

    number: str
    family: str
    given: str
    role: tuple[str, str]


class Clinic(Struct, frozen=True):
    """An outpatient clinic: where it is, what it does and for how long."""

    unit: str
    room: str
    service: tuple[str, str]
    minutes: int


ATTENDING, SURGEON, REGISTRAR = ("ATT", "Attending"), ("SUR", "Surgeon"), ("REG", "Registrar")
STAFF = (
    Clinician("5001", "Watson", "Susan", ATTENDING),
    Clinician("5002", "Oduya", "Peter", ATTENDING),
    Clinician("5003", "Lindgren", "Maja", SURGEON),
    Clinician("5004", "Ferreira", "Tomás", ATTENDING),
    Clinician("5005", "Novak", "Irena", REGISTRAR),
    Clinician("5006", "Bashir", "Omar", SURGEON),
)
CLINICS = (
    Clinic("CARD", "C1", ("ECHO", "Echocardiogram"), 40),
    Clinic("ORTH", "O2", ("KNEE", "Knee follow-up"), 20),
    Clinic("IMG", "MR1", ("MRI", "MRI lower extremity"), 45),
    Clinic("PED", "P3", ("WELL", "Well child visit"), 30),
    Clinic("DERM", "D1", ("SKIN", "Skin check"), 15),
)
WARDS = ("3W", "4N", "5E", "ICU")
REASONS = (("CHEST PAIN", "Chest pain"), ("FALL", "Fall"), ("FEVER", "Fever"), ("DYSPNEA", "Shortness of breath"))
DIAGNOSES = (("I20.9", "Angina pectoris, unspecified"), ("S72.001A", "Fracture of neck of right femur"))


def person(seed: int, number: int) -> Person:
    """Patient `number` of the hospital that this seed makes up."""
    dice = Random(f"{seed}:person:{number}")  # noqa: S311 - people who do not exist need no cryptography
    sex = dice.choice("FM")
    return Person(
        number=number,
        mrn=f"{seed % 10_000:04d}{number:06d}",
        family=dice.choice(FAMILIES),
        given=dice.choice(GIVEN[sex]),
        middle=dice.choice("ABCDEFGHJKLMNPRSTVW"),
        born=f"{dice.randint(1935, 2020)}{dice.randint(1, 12):02d}{dice.randint(1, 28):02d}",
        sex=sex,
        street=f"{dice.randint(1, 400)} {dice.choice(STREETS)} Street",
        city=dice.choice(CITIES),
        phone=f"555{dice.randint(0, 9_999_999):07d}",
    )
