import ast

import pytest

from harness.security.data_rules import run_data, weak_hashes


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import marshal",
        "import cloudpickle as cp",
        "eval(text)",
        "exec(text)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=shell)",
        "os.system(text)",
        "tempfile.mktemp()",
        "np.load(path, allow_pickle=True)",
        "st.cache_data(persist='disk')",
    ],
)
def test_data_that_could_be_run_is_seen(source: str) -> None:
    assert list(run_data(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "network.eval()",
        "yaml.safe_load(text)",
        "subprocess.run([text], shell=False)",
        "tempfile.mkdtemp()",
        "np.load(path)",
        "st.cache_data(max_entries=3)",
        "import json",
    ],
)
def test_data_that_stays_data_is_fine(source: str) -> None:
    assert list(run_data(ast.parse(source))) == []


@pytest.mark.parametrize(
    "source",
    [
        "hashlib.md5(data)",
        "hashlib.sha1()",
        "hashlib.new('SHA-1', data)",
        "hmac.new(key, data, hashlib.md5)",
        "hmac.new(key, data, digestmod='sha1')",
        "hmac.digest(key, data, 'sha1')",
        "from hashlib import md5",
    ],
)
def test_a_hash_that_can_be_forged_is_seen(source: str) -> None:
    assert list(weak_hashes(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ["hashlib.sha256(b'md5')", "hmac.new(key, data, hashlib.sha256)", "from hashlib import blake2b"]
)
def test_a_good_hash_is_fine(source: str) -> None:
    assert list(weak_hashes(ast.parse(source))) == []
