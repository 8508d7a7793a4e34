"""The inputs of the rows, made from a fixed seed: the same bytes on every machine."""

import json
import os
import pathlib
import random
import struct

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

WORDS = (
    "self node image latent model clip vae mask sample noise step width height batch tensor device dtype strength "
    "prompt return import torch float int class def for in range if not None True False dict list str input output "
    "required optional types category function name value weight scale shape size index key load save path file"
).split()


def random_file(path, size, seed):
    """`size` bytes that do not compress."""
    path = pathlib.Path(path)
    if path.exists() and path.stat().st_size == size:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed)
    with open(path, "wb") as out:
        left = size
        while left:
            block = min(left, 16 * MIB)
            out.write(source.randbytes(block))
            left -= block
    return path


def source_text(rng, size):
    """Text that compresses like Python source: indented lines of few words and fresh names."""
    lines, length = [], 0
    while length < size:
        words = rng.choices(WORDS, k=rng.randint(3, 9))
        words.insert(rng.randrange(len(words)), f"{rng.choice(WORDS)}_{rng.getrandbits(24):x}")
        line = " " * (4 * rng.randrange(4)) + " ".join(words)
        lines.append(line)
        length += len(line) + 1
    return ("\n".join(lines) + "\n")[:size]


def node_files(folder, count=20_000, total=300 * MIB, seed=7):
    """`count` source files in packages of 100 below `folder`, sizes spread around the mean as in real packs."""
    folder = pathlib.Path(folder)
    stamp = folder.with_name(folder.name + ".made")
    if stamp.exists():
        return folder
    rng = random.Random(seed)
    body = source_text(rng, 4 * MIB)
    mean = total // count
    for number in range(count):
        pack, group = number // 100, number % 100 // 10
        path = folder / f"pack-{pack:04}" / f"part_{group}" / f"file_{number:06}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        size = max(64, min(900 * KIB, int(rng.expovariate(1 / mean))))
        offset = rng.randrange(len(body) - 8 * KIB)
        head = f"# {number}\n"
        text = (head + body[offset:] + body)[:size]
        # A line of its own every few KiB, so that no two files share their contents.
        path.write_text(text + f"# {rng.getrandbits(256):x}\n")
    stamp.touch()
    return folder


def many_files(folder, count, size, seed):
    """`count` files of `size` bytes that do not compress, 1,000 a folder; gives their paths."""
    folder = pathlib.Path(folder)
    stamp = folder.with_name(folder.name + ".made")
    paths = [folder / f"{n // 1000:04}" / f"{n:06}.safetensors" for n in range(count)]
    if not stamp.exists():
        rng = random.Random(seed)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rng.randbytes(size))
        stamp.touch()
    return paths


def safetensors(path, size, seed):
    """A valid safetensors file of `size` bytes: one tensor of random bytes."""
    path = pathlib.Path(path)
    if path.exists() and path.stat().st_size == size:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    count = size - 8 - 128
    header = json.dumps({"weight": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}})
    header = header.encode().ljust(128)
    rng = random.Random(seed)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        left = count
        while left:
            block = min(left, 16 * MIB)
            out.write(rng.randbytes(block))
            left -= block
    return path


def comfyui(folder, models=(), nodes=None):
    """A folder that looks like a ComfyUI installation: sources, one workflow that loads each of `models`, custom nodes."""
    folder = pathlib.Path(folder)
    stamp = folder.with_name(folder.name + ".made")
    if stamp.exists():
        return folder
    for part in ("custom_nodes", "models/checkpoints", "user/default/workflows", "input", "output", "comfy"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text("import comfy\n")
    (folder / "nodes.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    (folder / "folder_paths.py").write_text("folder_names_and_paths = {}\n")
    (folder / "comfyui_version.py").write_text('__version__ = "0.3.64"\n')
    (folder / "requirements.txt").write_text("torch\n")
    loaders = []
    for number, (name, size) in enumerate(models):
        safetensors(folder / "models/checkpoints" / name, size, seed=100 + number)
        loaders.append(
            {"id": number + 1, "type": "CheckpointLoaderSimple", "pos": [0, 0], "size": [300, 100], "flags": {}, "order": number,
             "mode": 0, "inputs": [], "outputs": [], "properties": {}, "widgets_values": [name]}
        )
    graph = {"last_node_id": len(loaders), "last_link_id": 0, "nodes": loaders, "links": [], "groups": [], "config": {}, "extra": {}, "version": 0.4}
    (folder / "user/default/workflows/all.json").write_text(json.dumps(graph, indent=1))
    if nodes:
        os.rmdir(folder / "custom_nodes")
        node_files(folder / "custom_nodes", **nodes)
    stamp.touch()
    return folder


def graph(nodes):
    """A workflow of the editor's format."""
    return {"last_node_id": len(nodes), "last_link_id": 0, "nodes": nodes, "links": [], "groups": [], "config": {}, "extra": {}, "version": 0.4}


def node(number, kind, values):
    place = {"pos": [0, 0], "size": [300, 100], "flags": {}, "order": number, "mode": 0}
    return {"id": number + 1, "type": kind, **place, "inputs": [], "outputs": [], "properties": {}, "widgets_values": values}


def workflows(folder, count, corpus=None):
    """`count` workflows: those below `corpus` over and over, or, where there are none, such as this makes up."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = []
    for path in sorted(pathlib.Path(corpus).rglob("*.json")) if corpus else ():
        text = path.read_text()
        if isinstance(json.loads(text), dict) and isinstance(json.loads(text).get("nodes"), list):
            texts.append(text)
    rng = random.Random(9)
    for number in range(0 if texts else 40):
        nodes = [node(n, rng.choice(WORDS).title() + "Node", [rng.choice(WORDS), rng.random()]) for n in range(rng.randint(10, 120))]
        nodes[0] = node(0, "CheckpointLoaderSimple", [f"{rng.choice(WORDS)}/model-{number}.safetensors"])
        texts.append(json.dumps(graph(nodes), indent=1))
    for number in range(count):
        (folder / f"{number:04}.json").write_text(texts[number % len(texts)])
    return folder


def loras(folder, count):
    """`count` small model files in folders of 100."""
    folder = pathlib.Path(folder)
    names = [f"style-{n // 100:03}/lora_{n:05}.safetensors" for n in range(count)]
    if not folder.with_name(folder.name + ".made").exists():
        for number, name in enumerate(names):
            safetensors(folder / "loras" / name, 1024 + number % 1000, seed=number)
        folder.with_name(folder.name + ".made").touch()
    return folder, names


def lora_workflow(path, names, count):
    """A workflow that loads `count` of these."""
    chosen = random.Random(11).sample(names, count)
    pathlib.Path(path).write_text(json.dumps(graph([node(n, "LoraLoader", [name, 1.0, 1.0]) for n, name in enumerate(chosen)])))
    return path
