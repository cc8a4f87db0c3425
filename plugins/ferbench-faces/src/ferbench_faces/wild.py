"""Sets of faces found on the web, and of drawn ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ferbench import Dataset, Paper, ProtocolRule, carve, given_split, grouped_holdout, k_fold, leave_one_group_out

RAF_CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""In the order of the labels 1 to 7."""

COMPOUND_CLASSES = (
    "happily surprised",
    "happily disgusted",
    "sadly fearful",
    "sadly angry",
    "sadly surprised",
    "sadly disgusted",
    "fearfully angry",
    "fearfully surprised",
    "angrily surprised",
    "angrily disgusted",
    "disgustedly surprised",
)
"""In the order of the labels 1 to 11."""

AFFECTNET_CLASSES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""In the order of the labels 0 to 7."""

EXPW_CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""In the order of the labels 0 to 6."""

FERG_CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""By name; the set's own joy is happiness."""

EMOTIONET_UNITS = tuple(f"AU{unit}" for unit in (1, 2, 4, 5, 6, 9, 12, 17, 20, 25, 26, 43))
"""The action units of the challenge."""

_WILD = frozenset({"faces", "in-the-wild"})


def wild_datasets() -> Iterator[Dataset]:
    """RAF-DB, AffectNet, ExpW, FERG and EmotioNet."""
    yield from _raf_db()
    yield from _affectnet()
    yield _expw()
    yield _ferg()
    yield _emotionet()


def _raf_db() -> Iterator[Dataset]:
    official = given_split("train", None, "test")
    own = "The authors' own: train (12,271) with a tenth carved as val, test (3,068)"
    source = (
        "http://www.whdeng.cn/raf/model1.html, where the authors send a password on request. Unpack basic or compound "
        "with Image/{image} and EmoLabel, and add that folder"
    )
    aligned = Dataset(
        name="raf-db",
        description="15,339 faces from Flickr, aligned, 100×100 in colour, each with one of seven emotions of RAF-DB",
        classes=RAF_CLASSES,
        protocols=(
            ProtocolRule("official", official, own),
            ProtocolRule("6-class", official, "The authors' split without neutral faces", classes=RAF_CLASSES[:6]),
        ),
        read="ferbench_faces.raf_db:read_basic",
        licence="Non-commercial research, on request; the pictures are not to be passed on",
        how_to_get=source.format(image="aligned"),
        paper=Paper(
            title="Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild",
            authors="Shan Li, Weihong Deng, JunPing Du",
            year=2017,
            venue="CVPR",
            url="http://www.whdeng.cn/raf/model1.html",
        ),
        tags=_WILD,
    )
    yield aligned
    yield replace(
        aligned,
        name="raf-db-original",
        description="The 15,339 pictures of raf-db as they were found, the face cut out by its box, read at 224×224",
        read="ferbench_faces.raf_db:read_original",
        decode="ferbench_faces.raf_db:decode",
        how_to_get=source.format(image="original") + "; Annotation/boundingbox is needed too",
    )
    told = "The authors' own: train (3,162) with a tenth carved as val, test (792)"
    yield replace(
        aligned,
        name="raf-db-compound",
        description="3,954 faces from Flickr, aligned, 100×100 in colour, with eleven compound emotions of RAF-DB",
        classes=COMPOUND_CLASSES,
        protocols=(ProtocolRule("official", official, told),),
        read="ferbench_faces.raf_db:read_compound",
    )


def _affectnet() -> Iterator[Dataset]:
    tested_on_val = given_split("train", None, "val")
    expressions = Dataset(
        name="affectnet",
        description="291,651 faces (one less in .npy files) from the web, annotated by hand with eight expressions",
        classes=AFFECTNET_CLASSES,
        protocols=(
            ProtocolRule(
                "8-class", tested_on_val, "Tested on the published val (500 a class); val is a tenth of train"
            ),
            ProtocolRule("7-class", tested_on_val, "The same without contempt", classes=AFFECTNET_CLASSES[:7]),
        ),
        read="ferbench_faces.affectnet:read_expressions",
        decode="ferbench_faces.affectnet:decode",
        licence="Research, on request by a member of a university; the pictures are not to be passed on",
        how_to_get=(
            "http://mohammadmahoor.com/affectnet/, on request. Add the unpacked folder that holds train_set and "
            "val_set, or the one that holds Manually_Annotated_file_lists and Manually_Annotated_Images. It stays "
            "where it is and is read from there"
        ),
        paper=Paper(
            title="AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in the Wild",
            authors="Ali Mollahosseini, Behzad Hasani, Mohammad H. Mahoor",
            year=2017,
            venue="IEEE Transactions on Affective Computing",
            url="https://arxiv.org/abs/1708.03985",
        ),
        tags=_WILD,
    )
    yield expressions
    yield replace(
        expressions,
        name="affectnet-va",
        description="The faces of affectnet with valence and arousal, each -1 to 1",
        classes=("valence", "arousal"),
        protocols=(ProtocolRule("official", tested_on_val, "Tested on the published val; val is a tenth of train"),),
        read="ferbench_faces.affectnet:read_values",
        task="regression",
    )


def _expw() -> Dataset:
    return Dataset(
        name="expw",
        description="91,793 faces in photographs found by web search, with seven expressions, read at 224×224",
        classes=EXPW_CLASSES,
        protocols=(
            ProtocolRule(
                "80-20",
                grouped_holdout(0.2, by="picture"),
                "A fifth as test, the faces of one photograph on one side; the authors publish no split",
            ),
        ),
        read="ferbench_faces.expw:read",
        decode="ferbench_faces.expw:decode",
        licence="Non-commercial research",
        how_to_get=(
            "http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html. Unpack label/label.lst and image/origin "
            "into one folder and add it. It stays where it is and is read from there"
        ),
        paper=Paper(
            title="From Facial Expression Recognition to Interpersonal Relation Prediction",
            authors="Zhanpeng Zhang, Ping Luo, Chen Change Loy, Xiaoou Tang",
            year=2018,
            venue="IJCV",
            url="https://arxiv.org/abs/1609.06426",
        ),
        tags=_WILD,
    )


def _ferg() -> Dataset:
    return Dataset(
        name="ferg",
        description="55,767 pictures of six drawn characters with seven expressions, read at 64×64 in colour",
        classes=FERG_CLASSES,
        protocols=(
            ProtocolRule(
                "34k-14k-7k",
                carve(grouped_holdout(7 / 55), 14 / 48),
                "About 34,000 train, 14,000 val, 7,000 test, dealt at random as in Deep-Emotion: every character on "
                "every side",
                allow_leak=True,
                unit="subject",
            ),
            ProtocolRule(
                "leave-one-character-out",
                leave_one_group_out("subject"),
                "Six folds: each character is tested by what was learnt from the others",
                unit="subject",
            ),
        ),
        read="ferbench_faces.ferg:read",
        licence="Non-commercial research, on request",
        how_to_get=(
            "https://grail.cs.washington.edu/projects/deepexpr/ferg-2d-db.html, on request. Unpack FERG_DB_256 and "
            "add that folder"
        ),
        paper=Paper(
            title="Modeling Stylized Character Expressions via Deep Learning",
            authors="Deepali Aneja, Alex Colburn, Gary Faigin, Linda Shapiro, Barbara Mones",
            year=2016,
            venue="ACCV",
            url="https://grail.cs.washington.edu/projects/deepexpr/",
        ),
        tags=frozenset({"faces"}),
    )


def _emotionet() -> Dataset:
    return Dataset(
        name="emotionet",
        description="Faces from the web with twelve action units each, present or not, read at 224×224",
        classes=EMOTIONET_UNITS,
        protocols=(
            ProtocolRule("3-fold", k_fold(3), "Three folds of all pictures; the challenge's test set is not public"),
        ),
        read="ferbench_faces.emotionet:read",
        task="multi-label",
        decode="ferbench_faces.emotionet:decode",
        licence="Non-commercial research, on request; the pictures are their owners'",
        how_to_get=(
            "http://cbcsl.ece.ohio-state.edu/EmotionNetChallenge/, on request: lists of addresses. Fetch the pictures "
            "and keep them as in their addresses (N_0000001/N_0000001_00001.jpg); add the folder that holds lists and "
            "pictures. It stays where it is and is read from there"
        ),
        paper=Paper(
            title="EmotioNet: An accurate, real-time algorithm for the automatic annotation of a million facial "
            "expressions in the wild",
            authors="C. Fabian Benitez-Quiroz, Ramprakash Srinivasan, Aleix M. Martinez",
            year=2016,
            venue="CVPR",
            url="https://doi.org/10.1109/CVPR.2016.600",
        ),
        tags=_WILD,
    )
