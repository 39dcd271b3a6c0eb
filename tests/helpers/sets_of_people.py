"""Public sets of images in the layouts in which people download them, each with some tens of images.

Each function writes one below a folder, and returns the path that a person would give as SOURCE.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from helpers.small_images import jpg, png, put

DOGS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel")


def busi(root: Path) -> Path:
    """Write ultrasound images with their masks beside them."""
    for number in range(40):
        name = f"{('benign', 'malignant')[number % 2]} ({number})"
        folder = root / name.split()[0]
        put(folder / f"{name}.png", png(number))
        put(folder / f"{name}_mask.png", png(1000 + number))
        if number % 10 == 0:
            put(folder / f"{name}_mask_1.png", png(2000 + number))
    return root


def voc(root: Path) -> Path:
    """Write PASCAL VOC: photographs, masks in two folders, boxes, and lists of the splits."""
    for number in range(40):
        put(root / "VOC2012" / "JPEGImages" / f"2007_{number:06d}.jpg", jpg(number, colour=True))
        put(root / "VOC2012" / "Annotations" / f"2007_{number:06d}.xml", "<annotation/>")
        for folder in ("SegmentationClass", "SegmentationObject"):
            put(root / "VOC2012" / folder / f"2007_{number:06d}.png", png(1000 + number))
    lines = [f"2007_{number:06d}\n" for number in range(40)]
    put(root / "VOC2012" / "ImageSets" / "Main" / "train.txt", "".join(lines[:30]))
    put(root / "VOC2012" / "ImageSets" / "Main" / "val.txt", "".join(lines[30:]))
    return root


def flat_splits(root: Path) -> Path:
    """Write images whose names begin with their splits."""
    for number in range(60):
        put(root / f"{'test' if number >= 45 else 'train'}_{number:04d}.png", png(number))
    return root


def _zip(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def two_zips(root: Path) -> Path:
    """Write two archives, whose inner folders name the splits."""
    for archive, split, numbers in (("a", "train", range(45)), ("b", "test", range(45, 60))):
        _zip(root / f"{archive}.zip", {f"{split}/{('cat', 'dog')[n % 2]}/{n}.png": png(n) for n in numbers})
    return root


def kaggle_zips(root: Path) -> Path:
    """Write `train.zip` and `test.zip` beside a table, as Kaggle's competitions have them; labels are in names."""
    _zip(root / "train.zip", {f"train/{('cat', 'dog')[n % 2]}.{n}.jpg": jpg(n) for n in range(45)})
    _zip(root / "test.zip", {f"test/{n}.jpg": jpg(n) for n in range(45, 60)})
    put(root / "sampleSubmission.csv", "id,label\n" + "".join(f"{n},0.5\n" for n in range(45, 60)))
    return root


def wrong_endings(root: Path) -> Path:
    """Write PNGs, half of which are named `.txt` or without an ending, beside captions."""
    for number in range(60):
        put(root / f"{number}{('.png', '.txt', '.png', '')[number % 4]}", png(number))
    for number in range(10):
        put(root / f"caption{number}.txt", f"P{number} of ten: a blob")
    return root


def network_storage(root: Path) -> Path:
    """Write what a network storage and two systems leave beside images."""
    for number in range(60):
        label = ("cat", "dog")[number % 2]
        put(root / label / f"{number}.jpg", jpg(number))
        put(root / label / "@eaDir" / f"{number}.jpg" / "SYNOPHOTO_THUMB_M.jpg", jpg(1000 + number))
    for number, name in enumerate(("$RECYCLE.BIN/S-1/$R0.jpg", ".Trashes/501/0.jpg", "lost+found/0.jpg")):
        put(root / name, jpg(2000 + number))
    return root


def folds(root: Path) -> Path:
    """Write a table whose column `split` holds numbers of folds."""
    for number in range(60):
        put(root / "images" / f"{number}.png", png(number))
    rows = "".join(f"images/{n}.png,{('cat', 'dog')[n % 2]},fold{n % 5}\n" for n in range(60))
    put(root / "metadata.csv", f"file_name,label,split\n{rows}")
    return root


def omniglot(root: Path) -> Path:
    """Write drawings of letters, by alphabet and character, in folders for training and for the evaluation."""
    number = 0
    for folder, alphabets in (("images_background", ("Greek", "Latin", "Korean")), ("images_evaluation", ("Tibetan",))):
        for alphabet in alphabets:
            for character in range(3):
                for drawer in range(5):
                    name = f"{number:04d}_{drawer:02d}.png"
                    put(root / folder / alphabet / f"character{character:02d}" / name, png(number))
                    number += 1
    return root


def isic(root: Path) -> Path:
    """Write a challenge on skin lesions: one folder within another, and a table of names without endings."""
    folder = root / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input"
    rows = []
    for number in range(60):
        put(folder / f"ISIC_{number:07d}.jpg", jpg(number, colour=True))
        rows.append(f"ISIC_{number:07d},{float(number % 2)},{float(1 - number % 2)}\n")
    put(root / "ISIC_2019_Training_GroundTruth.csv", "image,MEL,NV\n" + "".join(rows))
    return root


def chest_xray(root: Path) -> Path:
    """Write ChestX-ray14: numbered folders, a table with columns of its own, and lists of the splits."""
    for number in range(60):
        put(root / f"images_{1 + number // 30:03d}" / "images" / f"{number:08d}_000.png", png(number))
    rows = [f"{number:08d}_000.png,{('Mass', 'No Finding')[number % 2]},58\n" for number in range(60)]
    put(root / "Data_Entry_2017.csv", "Image Index,Finding Labels,Patient Age\n" + "".join(rows))
    put(root / "train_val_list.txt", "".join(f"{number:08d}_000.png\n" for number in range(45)))
    put(root / "test_list.txt", "".join(f"{number:08d}_000.png\n" for number in range(45, 60)))
    return root


def stanford_dogs(root: Path) -> Path:
    """Write breeds, boxes in files without an ending, and MATLAB's lists."""
    for number in range(60):
        breed = DOGS[number % 2]
        name = f"{breed[:9]}_{number}"
        put(root / "Images" / breed / f"{name}.jpg", jpg(number, colour=True))
        put(root / "Annotation" / breed / name, "<annotation><folder/></annotation>")
    for name in ("train_list.mat", "test_list.mat"):
        put(root / "lists" / name, b"MATLAB 5.0 MAT-file")
    return root


def celeba(root: Path) -> Path:
    """Write faces, and lists of their attributes and splits as texts."""
    names = [f"{number:06d}.jpg" for number in range(60)]
    for number, name in enumerate(names):
        put(root / "img_align_celeba" / name, jpg(number, colour=True))
    put(root / "list_attr_celeba.txt", "60\nSmiling Young\n" + "".join(f"{name} -1  1\n" for name in names))
    put(root / "list_eval_partition.txt", "".join(f"{name} {n // 50}\n" for n, name in enumerate(names)))
    return root


def flowers(root: Path) -> Path:
    """Write Oxford Flowers: numbered photographs, labels and splits in MATLAB's files."""
    for number in range(60):
        put(root / "jpg" / f"image_{number:05d}.jpg", jpg(number, colour=True))
    for name in ("imagelabels.mat", "setid.mat"):
        put(root / name, b"MATLAB 5.0 MAT-file")
    return root


def roboflow(root: Path) -> Path:
    """Write a segmentation export of Roboflow: splits with masks, a table of classes, and a readme."""
    for split, numbers in (("train", range(40)), ("valid", range(40, 50)), ("test", range(50, 60))):
        for number in numbers:
            put(root / split / f"cell{number}_jpg.rf.{number:032x}.jpg", jpg(number, colour=True))
            put(root / split / f"cell{number}_jpg.rf.{number:032x}_mask.png", png(1000 + number))
        put(root / split / "_classes.csv", "Pixel Value, Class\n0, background\n1, cell\n")
    put(root / "README.roboflow.txt", "Cells, exported by Roboflow.\nLicense: CC BY 4.0\n")
    return root


def faces_in_the_wild(root: Path) -> Path:
    """Write LFW: a folder per person, most with one image, and the pairs of the benchmark."""
    number = 0
    for person in range(40):
        for image in range(1 + (person % 20 == 0)):
            name = f"Person_{chr(65 + person % 26)}{person}"
            put(root / "lfw" / name / f"{name}_{image + 1:04d}.jpg", jpg(number, colour=True))
            number += 1
    put(root / "pairsDevTest.txt", "10\nPerson_A0 1 2\n")
    return root


def food(root: Path) -> Path:
    """Write Food-101: folders of dishes, and lists of the splits."""
    names = []
    for number in range(60):
        names.append(f"{('apple_pie', 'ramen')[number % 2]}/{1000 + number}")
        put(root / "food-101" / "images" / f"{names[-1]}.jpg", jpg(number, colour=True))
    for split, its in (("train", names[:45]), ("test", names[45:])):
        put(root / "food-101" / "meta" / f"{split}.txt", "".join(f"{name}\n" for name in its))
    put(root / "food-101" / "meta" / "classes.txt", "apple_pie\nramen\n")
    return root


def intel(root: Path) -> Path:
    """Write scenes: folders that differ in the word for the split, each within itself, and images without labels."""
    for number in range(60):
        split = "seg_pred" if number >= 50 else "seg_test" if number >= 40 else "seg_train"
        scene = "" if split == "seg_pred" else ("forest", "sea")[number % 2]
        put(root / split / split / scene / f"{number}.jpg", jpg(number, colour=True))
    return root


def cats_and_dogs(root: Path) -> Path:
    """Write photographs whose labels are in their names."""
    for number in range(60):
        put(root / "train" / f"{('cat', 'dog')[number % 2]}.{number}.jpg", jpg(number, colour=True))
    return root


def tiny_imagenet(root: Path) -> Path:
    """Write Tiny ImageNet: labels as folders for training alone, and a list for validation."""
    for number in range(60):
        split = "test" if number >= 55 else "val" if number >= 45 else "train"
        label = f"n0144{number % 2}" if split == "train" else ""
        put(root / split / label / "images" / f"{split}_{number}.JPEG", jpg(number, colour=True))
    lines = [f"val_{number}.JPEG\tn0144{number % 2}\t0\t32\n" for number in range(45, 55)]
    put(root / "val" / "val_annotations.txt", "".join(lines))
    return root


def signs(root: Path) -> Path:
    """Write GTSRB: splits, pictograms beside them, and tables with columns of their own."""
    rows: dict[str, list[str]] = {"Train": [], "Test": []}
    for number in range(60):
        label, split = number % 3, "Test" if number >= 45 else "Train"
        name = f"Test/{number:05d}.png" if split == "Test" else f"Train/{label}/{label:05d}_{number:05d}.png"
        put(root / name, png(number, colour=True))
        rows[split].append(f"29,30,{label},{name}\n")
    for label in range(3):
        put(root / "Meta" / f"{label}.png", png(1000 + label, colour=True))
    for split, its in rows.items():
        put(root / f"{split}.csv", "Width,Height,ClassId,Path\n" + "".join(its))
    return root
