"""Several settings in one text are split at spaces, but not in quotes and brackets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.options import all_overrides
from pipeline.recipes.load import load_recipe
from pipeline.recipes.recipe_file import parse_yaml
from pipeline.recipes.setting_list import split_settings
from schemas.errors import UsageError


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", []),
        ("  \n ", []),
        ("train.epochs=5 model.latent_dim=16", ["train.epochs=5", "model.latent_dim=16"]),
        ("a=1\nb=2\t c=3 ", ["a=1", "b=2", "c=3"]),
        ("generate.labels={shoe:500,bag:100} seed=3", ["generate.labels={shoe:500,bag:100}", "seed=3"]),
        ("generate.labels={shoe: 500, bag: 100} seed=3", ["generate.labels={shoe: 500, bag: 100}", "seed=3"]),
        ("export.formats=[onnx, [x, {y: z}]] b=1", ["export.formats=[onnx, [x, {y: z}]]", "b=1"]),
        ("title='My photos' seed=3", ["title='My photos'", "seed=3"]),
        ("title='It''s a b' c=1", ["title='It''s a b'", "c=1"]),
        ('title="a \\" b" c=1', ['title="a \\" b"', "c=1"]),
        ("a={o'brien: 1, 'x }': 2} b=1", ["a={o'brien: 1, 'x }': 2}", "b=1"]),
        ("sources.0.path=/x/o'brien[1].zip b=1", ["sources.0.path=/x/o'brien[1].zip", "b=1"]),
        ("sources.0.test=\\d+$x`y`;z b=", ["sources.0.test=\\d+$x`y`;z", "b="]),
        ("a=b=c d", ["a=b=c", "d"]),
        ("a= b=1", ["a=", "b=1"]),
    ],
)
def test_a_list_is_split_at_spaces_outside_of_quotes_and_brackets(text: str, settings: list[str]) -> None:
    assert split_settings(text) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title='My photos", "SET: expected a closing ', found none in \"title='My photos\""),
        ("a=1 b={x: [1, 2} c=3", "SET: expected brackets in pairs, found } in 'b={x: [1, 2} c=3'"),
        ("a=[1, 2 b=3", "SET: expected a closing ], found none in 'a=[1, 2 b=3'"),
        ("seed=1 train.epochs = 3", "SET: expected no space beside =, found one in 'train.epochs = 3'"),
        ("train.epochs =3 seed=1", "SET: expected no space beside =, found one in 'train.epochs =3 seed=1'"),
        ("train.epochs= 3 seed=1", "SET: expected no space beside =, found one in 'train.epochs= 3 seed=1'"),
        ("title= 'a=b'", "SET: expected no space beside =, found one in \"title= 'a=b'\""),
        ("title='a'b c=1", "SET: expected a space after ', found b in \"title='a'b c=1\""),
    ],
)
def test_a_quote_or_bracket_that_is_not_closed_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        split_settings(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@given(
    st.lists(
        st.sampled_from(["a", "b.c"]).flatmap(
            lambda key: st.text("ab '\"[]{}:,", max_size=9).map(lambda text: (key, text))
        ),
        max_size=4,
    )
)
def test_any_text_in_single_quotes_comes_through(pairs: list[tuple[str, str]]) -> None:
    quoted = [(key, text.replace("'", "''")) for key, text in pairs]
    split = split_settings(" ".join(f"{key}='{text}'" for key, text in quoted))
    assert [(setting.partition("=")[0], parse_yaml(setting.partition("=")[2])) for setting in split] == pairs


@given(st.text("ab=. '\"[]{}:,\n", max_size=20))
def test_any_text_is_split_or_refused(text: str) -> None:
    try:
        settings = split_settings(text)
    except UsageError:
        return
    assert "".join("".join(settings).split()) == "".join(text.split())


def test_labels_with_counts_are_a_setting_with_spaces() -> None:
    overrides = split_settings("generate.labels={shoe: 500, 'high heel': 100} generate.seed=3")
    generate = load_recipe("mnist_conditional", overrides=overrides).generate
    assert (generate.labels, generate.seed) == ({"shoe": 500, "high heel": 100}, 3)


def test_settings_of_single_options_count_more_than_those_of_the_list() -> None:
    overrides = all_overrides(["train.epochs=7"], settings="train.epochs=5 seed=3", inception="my: weights.pt")
    recipe = load_recipe("demo", overrides=overrides)
    assert (recipe.train.epochs, recipe.seed, recipe.evaluate.inception) == (7, 3, "my: weights.pt")
