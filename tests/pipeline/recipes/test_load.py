"""A recipe that is not as it should be ends in one line: where, which key, what was expected, what was found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.paths import ROOT
from helpers.recipe_by_hand import GOOD, error_of
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.recipes.load import FOLDER, load_recipe, recipe_files
from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe

WriteRecipe = Callable[..., str]


# --- what comes with the project ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", recipe_files(), ids=lambda path: path.stem)
def test_every_recipe_of_the_project_loads_and_is_named_as_its_file(path: Path) -> None:
    recipe = load_recipe(path.stem)
    assert recipe.name == path.stem
    assert recipe.title


def test_the_schema_that_editors_read_is_that_of_the_recipe() -> None:
    path = FOLDER / "recipe.schema.json"
    advice = f"run `python -m pipeline schema` to write {path} anew"
    assert path.is_file(), advice
    assert json.loads(path.read_text()) == Recipe.model_json_schema(), advice


# --- the file ----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_nearly_right_gets_a_hint() -> None:
    line = error_of("demoo")
    assert line.startswith("RECIPE=demoo: expected a recipe, found no ")
    assert line.endswith("recipes/demoo.yaml; did you mean demo?")


def test_a_name_that_is_like_no_other_gets_the_list_of_recipes() -> None:
    assert re.search(r"; there are (\w+, )*demo(, |$)", error_of("zzzzzz"))


@pytest.mark.process
def test_a_recipe_is_utf_8_in_any_locale(write_recipe: WriteRecipe) -> None:
    path = Path(write_recipe())
    path.write_bytes(path.read_bytes() + "\ntitle: Blüten, 花\n".encode())
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code = f"from pipeline.recipes.load import load_recipe; print(ascii(load_recipe({str(path)!r}).title))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **ascii_only}, check=True
    )
    assert done.stdout == "'Bl\\xfcten, \\u82b1'\n"


def test_a_file_that_is_not_yaml_is_named_with_the_line(write_recipe: WriteRecipe) -> None:
    path = write_recipe(("height: 32", "height: [32"))
    assert re.match(rf"{re.escape(path)}: expected YAML, found: .*line 8", error_of(path))


@pytest.mark.parametrize(("text", "found"), [("- 1\n", "[1]"), ("", "nothing"), ("photos\n", "'photos'")])
def test_a_file_without_keys_is_named(write_recipe: WriteRecipe, text: str, found: str) -> None:
    path = write_recipe(text=text)
    assert error_of(path) == f"{path}: expected keys and values, found {found}"


@pytest.mark.parametrize(
    ("old", "new", "key", "line"),
    [
        ("width: 32", "width: 32\n  height: 64", "height", 9),
        ("model:", "preprocess:\n  crop: fresh\nmodel:", "preprocess", 9),
    ],
)
def test_a_key_that_stands_twice_is_named(write_recipe: WriteRecipe, old: str, new: str, key: str, line: int) -> None:
    path = write_recipe((old, new))
    assert re.match(rf"{re.escape(path)}: expected YAML, found: {key} twice in .*line {line}\b", error_of(path))


@pytest.mark.parametrize(
    "content",
    [b"name: caf\xe9\n", b"name: a\0b\n", b"name: !!python/name:os.system x\n", b"title: 2024-02-30\n", b"\tname: a\n"],
    ids=["not UTF-8", "a zero byte", "a Python object", "a day that does not exist", "a tab"],
)
def test_what_yaml_cannot_read_is_a_usage_error_too(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photos.yaml"
    path.write_bytes(content)
    assert error_of(str(path)).startswith(f"{path}: expected YAML, found: ")


@hypothesis_settings(deadline=None, max_examples=100)
@given(text=st.text(max_size=40) | st.text("-:[]{}#&*!|>'\"\n 0123.ea", max_size=40))
def test_no_text_does_anything_but_load_or_raise_a_usage_error(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, errors="replace")
    with pytest.raises(UsageError, match=rf"^{re.escape(str(path))}: "):
        load_recipe(str(path))


# --- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "key", "hint"),
    [
        ("model:", "trian: {}\nmodel:", "trian", "did you mean train?"),
        ("height:", "heigth:", "preprocess.heigth", "did you mean height?"),
        ("path:", "paht:", "sources.0.paht", "did you mean path?"),
        ("network: conv", "network: conv\n  latentdim: 2", "model.latentdim", "did you mean latent_dim?"),
        (
            "network: conv",
            "network: dense\n  batch_norm: after",
            "model.batch_norm",
            "activation, conditional, hidden,",
        ),
        ("bernoulli", "mse\n  wieght: 2", "loss.wieght", "did you mean weight?"),
        ("  space:", "  spaec:", "tune.spaec", "did you mean space?"),
        ("model.latent_dim: [4", "model.latentdim: [4", "tune.space.model.latentdim", "did you mean latent_dim?"),
    ],
    ids=["top", "section", "source", "model", "another model's", "loss", "tune", "what is searched"],
)
def test_an_unknown_key_in_the_file_is_named_with_a_hint(
    write_recipe: WriteRecipe, old: str, new: str, key: str, hint: str
) -> None:
    path = write_recipe((old, new))
    line = error_of(path)
    assert line.startswith(f"{path}: {key}: expected a key that exists ({hint}")
    assert f", found {key.rsplit('.', maxsplit=1)[-1]}" in line


@pytest.mark.parametrize(
    ("override", "key", "hint"),
    [
        ("trian.epochs=3", "trian", "did you mean train?"),
        ("train.epoch=3", "train.epoch", "did you mean epochs?"),
        ("sources.0.paht=/x", "sources.0.paht", "did you mean path?"),
        ("model.latent=3", "model.latent", "did you mean latent_dim?"),
        ("beam.worker=3", "beam.worker", "did you mean workers?"),
        ("epochs=3", "epochs", "did you mean train.epochs or tune.epochs?"),
        ("model.batch_size=3", "model.batch_size", "did you mean train.batch_size?"),
        ("path=/x", "path", "did you mean sources.0.path?"),
        ("train.title=x", "train.title", "did you mean title?"),
        ("colour=red", "colour", "beam, data, evaluate, export, generate,"),
    ],
)
def test_an_unknown_key_in_set_is_distinguished_from_one_in_the_file(
    write_recipe: WriteRecipe, override: str, key: str, hint: str
) -> None:
    line = error_of(write_recipe(), override)
    assert line.startswith(f"--set {key}: expected a key that exists (")
    assert hint in line


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.epochs=0", "train.epochs: expected at least 1, found 0"),
        ("train.epochs=1.5", "train.epochs: expected a whole number, found 1.5"),
        ("train.learning_rate=fast", "train.learning_rate: expected a number, found 'fast'"),
        ("train.use_tuned=maybe", "train.use_tuned: expected true or false, found 'maybe'"),
        ("preprocess.height=2048", "preprocess.height: expected at most 1024, found 2048"),
        ("preprocess.channels=2", "preprocess.channels: expected 1 or 3, found 2"),
        ("preprocess.crop=left", "preprocess.crop: expected 'none', 'baked' or 'fresh', found 'left'"),
        ("sources.0.label=middle", "sources.0.label: expected 'none', 'first_folder' or 'last_folder', found 'middle'"),
        ("beam.options=4", "beam.options: expected a list, found 4"),
        ("tune.space={}", "tune.space: expected at least 1, found {}"),
        ("tune.space=8", "tune.space: expected keys and values, found 8"),
        ("train=5", "train: expected keys and values, found 5"),
        (
            "generate.count=1000000000000001",
            "generate.count: expected at most 1000000000000000, found 1000000000000001",
        ),
        (
            "generate.indices=0-9999999999999999999",
            "generate.indices: expected numbers below 1,000,000,000,000,000, found 9",
        ),
        (f"generate.indices={'9' * 4000}", "generate.indices: expected numbers below 1,000,000,000,000,000, found"),
        ("generate.indices=٣-٥", "generate.indices: expected numbers and ranges such as 0,5,100-199, found '٣-٥'"),
        (
            "name=My photos",
            "name: expected lower-case letters a to z, digits, - and _, with a letter or a digit first, found 'My photos'",
        ),
        (f"name={'a' * 300}", "name: expected at most 100 characters, found 'aaaa"),
        ("generate.name=../../etc", "generate.name: expected letters, digits, ., - and _, with a letter, "),
        ("train.epochs=true", "train.epochs: expected a whole number, found true"),
        ("train.learning_rate=yes", "train.learning_rate: expected a number, found true"),
        ("model.hidden=[16, false]", "model.hidden: expected a whole number, found false"),
        (
            "train.batch_size=99999999999999999999",
            "train.batch_size: expected at most 9,223,372,036,854,775,807, found",
        ),
        ("train.engine.jit=7", "train.engine.jit: expected 'auto' or true or false, found 7"),
        ("train.engine.steps_per_call=x", "train.engine.steps_per_call: expected 'auto' or a whole number, found 'x'"),
        ("generate.label=2020-01-01", "generate.label: expected text, found a date, 2020-01-01; put text in quotes"),
        ("train=", "train: expected keys and values, found nothing"),
    ],
)
def test_an_invalid_value_is_named_with_its_origin(write_recipe: WriteRecipe, override: str, expected: str) -> None:
    assert error_of(write_recipe(), override).startswith(f"--set {expected}")
    key, _, value = override.partition("=")
    data = yaml.safe_load(GOOD)
    *parents, last = key.split(".")
    at: Any = data
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
    at[int(last) if isinstance(at, list) else last] = yaml.safe_load(value)
    path = write_recipe(text=yaml.safe_dump(data))
    assert error_of(path).startswith(f"{path}: {expected}")


def test_a_key_that_is_missing_is_named(write_recipe: WriteRecipe) -> None:
    path = write_recipe(("model:\n  network: conv\n", ""))
    assert error_of(path) == f"{path}: model: expected a value, found none"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind: folder", "kind: ftp", r"sources\.0: expected 'kind' among .*'folder'"),
        ("network: conv", "network: transformer", r"model: expected 'network' among .*'dense'"),
        ("likelihood: bernoulli", "likelihood: poisson", r"loss: expected 'likelihood' among 'bernoulli', 'mse'"),
        ("network: conv", "latent_dim: 3", r"model: expected a key 'network'"),
    ],
)
def test_a_kind_that_does_not_exist_is_answered_with_those_that_do(
    write_recipe: WriteRecipe, old: str, new: str, expected: str
) -> None:
    path = write_recipe((old, new))
    assert re.match(rf"{re.escape(path)}: {expected}", error_of(path))


def test_mistakes_are_counted_and_the_first_is_printed(write_recipe: WriteRecipe) -> None:
    path = write_recipe(("height: 32", "height: 0"), ("bernoulli", "mse\n  weight: 0"))
    assert error_of(path) == f"{path}: preprocess.height: expected at least 4, found 0 (and 1 more)"
    assert "more)" not in error_of(write_recipe(("path:", "paht:")))


def test_values_that_do_not_fit_each_other_are_named_with_their_keys(write_recipe: WriteRecipe) -> None:
    path = write_recipe(("height: 32", "height: 30"))
    assert (
        error_of(path)
        == f"{path}: preprocess.height: expected a multiple of 4, because of the decoder's strides, found 30"
    )


# --- what a search may try ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("model.latent_dim", "[8, 0]", "expected at least 1, found 0"),
        ("model.latent_dim", "4", "expected a list, found 4"),
        ("model.latent_dim", "[]", "expected at least 1, found []"),
        ("model.latentdim", "[8]", "expected a key that exists (did you mean latent_dim?), found latentdim"),
        ("model.decoder", "[[[8, 2]], [[8, 3]]]", "with [[8, 3]]: preprocess.height: expected a multiple of 3"),
        ("train.batch_size", "{low: 1.5, high: 3}", "expected a whole number, found 1.5"),
        ("train.learning_rate", "{low: 0, high: 1}", "expected more than 0.0, found 0.0"),
        ("train.learning_rate", "{low: fast, high: 1}", "expected a number, found 'fast'"),
        ("train.learning_rate", "{low: 1e-3, high: 1e-4}", "expected more than low, which is 0.001, found 0.0001"),
        ("train.learning_rate", "{low: 0, high: 1, log: true}", "expected more than 0, because of log, found 0"),
        ("model.latent_dim", "{low: 2, high: 64, log: true, step: 1}", "expected a whole number above 1"),
        ("train.deterministic", "[true]", "expected a key of model, loss or train that a trial reads"),
        ("train.epochs", "[5]", "expected a key of model, loss or train that a trial reads, found train.epochs"),
        ("loss.importance_epochs", "[1, 2]", "expected a key of model, loss or train that a trial reads"),
        ("preprocess.height", "[32]", "expected a key of model, loss or train that a trial reads"),
        ("seed", "[1, 2]", "expected a key of model, loss or train that a trial reads"),
        ("loss.likelihood", "[mse]", "expected a key that leaves ELBOs comparable"),
        ("loss.kl", "[sum, none]", "expected only sum and mean"),
    ],
)
def test_values_that_a_search_cannot_try_are_an_error_before_any_work(
    write_recipe: WriteRecipe, key: str, values: str, expected: str
) -> None:
    path = write_recipe(text=GOOD.replace("model.latent_dim: [4, 8]", f"{key}: {values}"))
    messages = {error_of(path).removeprefix(f"{path}: "), error_of(write_recipe(), f"tune.space.{key}={values}")[6:]}
    for line in messages:
        place, _, rest = line.partition(": ")
        assert place.startswith(f"tune.space.{key}")
        assert rest.startswith(expected)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("model.encoder", "[[[8, 2]], [[8, 2], [16, 2]]]"),
        ("model.latent_dim", "{low: 2, high: 64, log: true, step: 2}"),
        ("train.learning_rate", "{low: 1e-4, high: 1e-2, log: true}"),
        ("train.batch_size", "[64, 128]"),
        ("loss.reconstruction", "[sum, mean]"),
        ("model.batch_norm", "[none, before, after]"),
    ],
)
def test_any_key_that_a_trial_reads_may_be_searched(write_recipe: WriteRecipe, key: str, values: str) -> None:
    recipe = load_recipe(write_recipe(), overrides=[f"tune.space.{key}={values}"])
    assert key in recipe.tune.space
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


# --- --set and SOURCE ---------------------------------------------------------------------------------------------------
