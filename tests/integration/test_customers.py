"""Who answered: identity, and what the CSV of customers says."""

from __future__ import annotations

import pytest

from connector.customers import import_customers
from connector.domain import Respondent
from connector.errors import Refused
from connector.store import identities, people


def who(store, now, **person) -> str | None:
    return store.write(lambda c: identities.identify(c, Respondent(**person), now).customer)


def seen(store, now, **person):
    customer = who(store, now, **person)
    with store.read() as connection:
        return people.attributes(connection, [customer])[customer]


def test_an_address_is_one_customer_whatever_its_case_and_spaces(store, now):
    assert who(store, now, email="Ana@Example.com ") == who(store, now, email="ana@example.com")


def test_plus_addresses_stay_apart(store, now):
    assert who(store, now, email="ana+x@example.com") != who(store, now, email="ana@example.com")


def test_a_phone_or_an_external_id_is_enough(store, now):
    phone = who(store, now, phone="+34 600 123 123")
    assert phone == who(store, now, phone="0034600123123")
    assert who(store, now, external_id="C-1") == who(store, now, external_id=" C-1 ")


def test_an_answer_that_names_both_joins_the_address_to_the_known_id(store, now):
    known = who(store, now, external_id="C-1")
    assert who(store, now, email="ana@example.com", external_id="C-1") == known
    assert who(store, now, email="ana@example.com") == known


def test_a_shared_phone_never_merges_two_addresses(store, now):
    ana = who(store, now, email="ana@example.com", phone="+34600123123")
    leo = who(store, now, email="leo@example.com", phone="+34600123123")

    assert ana != leo
    assert who(store, now, phone="+34600123123") == ana


def test_anonymous_answers_belong_to_nobody(store, now):
    assert who(store, now) is None
    assert who(store, now, name="Ana") is None
    assert who(store, now, email="not an address") is None


def test_the_csv_sets_attributes_that_rules_see(store, now):
    data = (
        "email,plan,value,owner,company,language,arr\n"
        "Ana@example.com,enterprise,9000,rep@example.com,Ácme  SA,es,12.5\n"
        "leo@example.com,free,,,acme sa,,\n"
    ).encode()
    done = import_customers(store, data, {"arr": "number"}, now)

    assert (done.customers, done.refused) == (2, [])
    customer, company = seen(store, now, email="ana@example.com")
    assert customer == {
        "email": "ana@example.com",
        "plan": "enterprise",
        "value": 9000,
        "owner": "rep@example.com",
        "company": "Ácme  SA",
        "language": "es",
        "arr": 12.5,
    }
    assert company == {"name": "Ácme  SA"}
    assert seen(store, now, email="leo@example.com")[0]["company"] == "Ácme  SA"


def test_a_column_that_is_absent_changes_nothing_and_an_empty_cell_removes(store, now):
    import_customers(store, b"email,plan,owner\na@example.com,pro,x@example.com\n", {}, now)
    import_customers(store, b"email,plan\na@example.com,\n", {}, now)

    customer, _ = seen(store, now, email="a@example.com")
    assert customer == {"email": "a@example.com", "owner": "x@example.com"}


def test_bad_rows_are_named_with_their_line_and_the_others_go_through(store, now):
    data = b'email,value\n"a@example.com",1\nnobody,2\n,3\nb@example.com,many\nc@example.com,nan\n'
    done = import_customers(store, data, {}, now)

    assert done.customers == 1
    assert [line for line, _ in done.refused] == [3, 4, 5, 6]
    assert "many" in done.refused[2][1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"plan\nfree\n", "must name one of the columns"),
        (b"email,plann\na@example.com,x\n", "did you mean 'plan'"),
        (b"email,pln,naem\na@example.com,x,y\n", "'pln' did you mean 'plan'.*'naem' did you mean"),
        (b"", "the file is empty"),
    ],
)
def test_a_header_that_cannot_work_is_refused_whole(store, now, data, said):
    with pytest.raises(Refused, match=said):
        import_customers(store, data, {}, now)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_file_may_be_what_a_spreadsheet_makes_of_it(store, now, mark, encoding):
    text = f"email{mark}owner\r\nana@example.com{mark}Íñigo\r\n"
    done = import_customers(store, text.encode(encoding), {}, now)

    assert (done.customers, done.refused) == (1, [])
    assert seen(store, now, email="ana@example.com")[0]["owner"] == "Íñigo"


def test_a_row_with_extra_cells_is_refused_at_the_line_where_it_begins(store, now):
    data = b'email,plan\n"a@example.com","two\nlines"\nb@example.com,x,y\nc@example.com,pro\n'
    done = import_customers(store, data, {}, now)

    assert done.customers == 2
    assert [(line, reason[:25]) for line, reason in done.refused] == [
        (4, "the row has 3 cells, the ")
    ]
