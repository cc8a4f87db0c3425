"""Sets recorded in a laboratory: posed expressions, few subjects, many pictures of each.

Their protocols keep subjects apart. Those of the literature that do not say ``allow_leak``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ferbench import Dataset, Paper, ProtocolRule, carve, grouped_holdout, leave_one_group_out
from ferbench_faces.lab_folds import indexed_folds, listed_folds, stepped_folds

TAGS = frozenset({"faces", "laboratory"})

_CK_CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_CK_FOLDS = stepped_folds(10)
_SIX_AND_NEUTRAL = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_SIX = _SIX_AND_NEUTRAL[:6]

_DISFA_FOLDS = listed_folds(
    ("SN002", "SN010", "SN001", "SN026", "SN027", "SN032", "SN030", "SN009", "SN016"),
    ("SN013", "SN018", "SN011", "SN028", "SN012", "SN006", "SN031", "SN021", "SN024"),
    ("SN003", "SN029", "SN023", "SN025", "SN008", "SN005", "SN007", "SN017", "SN004"),
)
_DISFA_PROTOCOLS = (
    ProtocolRule(
        "3-fold", _DISFA_FOLDS, "Nine subjects tested in each fold, as papers on action units list them", "subject"
    ),
    ProtocolRule("leave-one-subject-out", leave_one_group_out(), "A fold for each of the 27 subjects", "subject"),
)


def lab_datasets() -> Iterator[Dataset]:
    """Every set recorded in a laboratory."""
    ck_plus, disfa = _ck_plus(), _disfa_units()
    yield ck_plus
    yield _ck_clips(ck_plus)
    yield _jaffe()
    yield disfa
    yield _disfa_emotions(disfa)
    yield _oulu_casia()
    yield _mmi()
    yield _multi_pie()


def _ck_plus() -> Dataset:
    return Dataset(
        name="ck-plus",
        description="CK+: 1,308 pictures of 118 people, the last three frames of 327 sequences and their neutral first "
        "frames; or a copy of 981 pictures without neutral ones",
        classes=_CK_CLASSES,
        protocols=(
            ProtocolRule(
                "7-contempt",
                _CK_FOLDS,
                "Ten folds of subjects, sorted by id and dealt in turn; seven emotions with contempt, 981 pictures",
                unit="subject",
                classes=_CK_CLASSES[:7],
            ),
            ProtocolRule(
                "7-neutral",
                stepped_folds(10, without=_CK_CLASSES.index("contempt")),
                "The same folds; six emotions and neutral, of the 309 sequences without contempt, 1,236 pictures",
                unit="subject",
                classes=_SIX_AND_NEUTRAL,
            ),
            ProtocolRule("6-class", _CK_FOLDS, "The same folds; six emotions, 927 pictures", "subject", _SIX),
            ProtocolRule("8-class", _CK_FOLDS, "The same folds; seven emotions and neutral, 1,308 pictures", "subject"),
            ProtocolRule(
                "image-70-10-20",
                carve(grouped_holdout(0.2), 0.125),
                "Pictures dealt at random, 70 % train, 10 % val, 20 % test, as some papers do: neighbouring frames of "
                "one sequence stand on both sides",
                classes=_CK_CLASSES[:7],
                allow_leak=True,
            ),
            ProtocolRule(
                "index-10-fold",
                indexed_folds(
                    (0, 135, 12), (2, 177, 18), (3, 75, 9), (4, 207, 21), (5, 84, 9), (6, 249, 24), (1, 54, 6)
                ),
                "Ten runs of each emotion's pictures in the order of their names, as a widely copied repository does: "
                "a subject's other emotions are trained on",
                classes=_CK_CLASSES[:7],
                allow_leak=True,
            ),
        ),
        read="ferbench_faces.lab_ck:read",
        licence="Free for research after signing the agreement of the University of Pittsburgh; pictures may not be "
        "passed on",
        how_to_get="http://www.jeffcohn.net/Resources/, after an agreement: extended-cohn-kanade-images.zip, "
        "Emotion_labels.zip and, for faces that are cut out, Landmarks.zip. Unpack them into one folder, and add it",
        paper=Paper(
            title="The Extended Cohn-Kanade Dataset (CK+): A complete dataset for action unit and emotion-specified "
            "expression",
            authors="Patrick Lucey, Jeffrey F. Cohn, Takeo Kanade, Jason Saragih, Zara Ambadar, Iain Matthews",
            year=2010,
            venue="CVPR Workshops",
            url="https://doi.org/10.1109/CVPRW.2010.5543262",
        ),
        tags=TAGS,
    )


def _ck_clips(ck_plus: Dataset) -> Dataset:
    return replace(
        ck_plus,
        name="ck-plus-clips",
        description="CK+: 327 clips of 118 people, every frame of each labelled sequence, from neutral to the peak",
        classes=_CK_CLASSES[:7],
        protocols=(
            ProtocolRule(
                "10-fold",
                _CK_FOLDS,
                "Ten folds of subjects, sorted by id and dealt in turn; seven emotions with contempt",
                unit="subject",
            ),
            ProtocolRule("6-class", _CK_FOLDS, "The same folds; six emotions, 309 clips", "subject", _SIX),
        ),
        read="ferbench_faces.lab_ck_clips:read",
        decode="ferbench_faces.lab_ck_clips:decode",
        modality="video",
        inputs=("video",),
    )


def _jaffe() -> Dataset:
    return Dataset(
        name="jaffe",
        description="JAFFE: 213 pictures of ten Japanese women, six emotions and neutral",
        classes=_SIX_AND_NEUTRAL,
        protocols=(
            ProtocolRule("leave-one-subject-out", leave_one_group_out(), "A fold for each of the ten", "subject"),
            ProtocolRule(
                "image-70-10-20",
                carve(grouped_holdout(0.2), 0.125),
                "Pictures dealt at random, 70 % train, 10 % val, 20 % test, as some papers do: every woman stands on "
                "all sides",
                allow_leak=True,
            ),
        ),
        read="ferbench_faces.lab_jaffe:read",
        licence="Free for research that is not commercial; pictures may not be passed on",
        how_to_get="https://zenodo.org/records/3451524, after a request; unpack jaffe.zip, and add the folder",
        paper=Paper(
            title="Coding Facial Expressions with Gabor Wavelets",
            authors="Michael J. Lyons, Shigeru Akamatsu, Miyuki Kamachi, Jiro Gyoba",
            year=1998,
            venue="Automatic Face and Gesture Recognition",
            url="https://doi.org/10.1109/AFGR.1998.670949",
        ),
        tags=TAGS,
    )


def _disfa_units() -> Dataset:
    return Dataset(
        name="disfa",
        description="DISFA: every coded frame of twenty-seven people's videos, with the intensities of twelve action "
        "units, 0 to 5",
        classes=tuple(f"AU{unit}" for unit in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)),
        protocols=_DISFA_PROTOCOLS,
        read="ferbench_faces.lab_disfa:read_units",
        task="regression",
        licence="Free for research after signing the agreement of the University of Denver; pictures may not be passed "
        "on",
        how_to_get="http://mohammadmahoor.com/disfa/, after an agreement: Videos_LeftCamera, ActionUnit_Labels and, "
        "for faces that are cut out, Landmark_Points. Unpack them into one folder, and add it. Videos need OpenCV: pip "
        "install 'ferbench-faces[video]'",
        paper=Paper(
            title="DISFA: A Spontaneous Facial Action Intensity Database",
            authors="S. Mohammad Mavadati, Mohammad H. Mahoor, Kevin Bartlett, Philip Trinh, Jeffrey F. Cohn",
            year=2013,
            venue="IEEE Transactions on Affective Computing 4(2)",
            url="https://doi.org/10.1109/T-AFFC.2013.4",
        ),
        tags=TAGS,
    )


def _disfa_emotions(disfa: Dataset) -> Dataset:
    return replace(
        disfa,
        name="disfa-emotions",
        description="DISFA: the frames whose action units fit one of six emotions by rules",
        classes=("surprise", "fear", "disgust", "happiness", "sadness", "anger"),
        read="ferbench_faces.lab_disfa:read_emotions",
        task="single-label",
    )


def _oulu_casia() -> Dataset:
    return Dataset(
        name="oulu-casia",
        description="Oulu-CASIA, visible light, strongly lit: 1,920 pictures of 80 people, the last three frames of "
        "480 sequences and their neutral first frames",
        classes=_SIX_AND_NEUTRAL,
        protocols=_with_neutral(", 1,440 pictures"),
        read="ferbench_faces.lab_oulu:read",
        licence="Free for research after signing the University of Oulu's agreement; pictures may not be passed on",
        how_to_get=(
            "http://www.cse.oulu.fi/CMV/Downloads/Oulu-CASIA, after an agreement: unpack the original pictures, and "
            "add the folder that holds VL"
        ),
        paper=Paper(
            title="Facial expression recognition from near-infrared videos",
            authors="Guoying Zhao, Xiaohua Huang, Matti Taini, Stan Z. Li, Matti Pietikäinen",
            year=2011,
            venue="Image and Vision Computing 29(9)",
            url="https://doi.org/10.1016/j.imavis.2011.07.002",
        ),
        tags=TAGS,
    )


def _mmi() -> Dataset:
    return Dataset(
        name="mmi",
        description="MMI: frontal videos of six emotions, the three frames in their middle and the neutral first frame",
        classes=_SIX_AND_NEUTRAL,
        protocols=_with_neutral(),
        read="ferbench_faces.lab_mmi:read",
        licence="Free for research after an agreement with the owners; pictures may not be passed on",
        how_to_get=(
            "https://mmifacedb.eu/, after a registration: search for the six basic emotions, download whole sessions, "
            "and add the folder Sessions. Videos need OpenCV: pip install 'ferbench-faces[video]'"
        ),
        paper=Paper(
            title="Web-based database for facial expression analysis",
            authors="Maja Pantic, Michel Valstar, Ron Rademaker, Ludo Maat",
            year=2005,
            venue="ICME",
            url="https://doi.org/10.1109/ICME.2005.1521424",
        ),
        tags=TAGS,
    )


def _multi_pie() -> Dataset:
    return Dataset(
        name="multi-pie",
        description="Multi-PIE: 2,514 pictures of 337 people, one from the front of every recording, six expressions",
        classes=("neutral", "smile", "surprise", "squint", "disgust", "scream"),
        protocols=(
            ProtocolRule(
                "5-fold", stepped_folds(5), "Five folds of subjects, sorted by id and dealt in turn", unit="subject"
            ),
        ),
        read="ferbench_faces.lab_multipie:read",
        licence="Sold by Carnegie Mellon University for research; pictures may not be passed on",
        how_to_get=(
            "http://www.cs.cmu.edu/afs/cs/project/PIE/MultiPie/Multi-Pie/Home.html, for a fee: add the folder that "
            "holds session01 to session04"
        ),
        paper=Paper(
            title="Multi-PIE",
            authors="Ralph Gross, Iain Matthews, Jeffrey Cohn, Takeo Kanade, Simon Baker",
            year=2010,
            venue="Image and Vision Computing 28(5)",
            url="https://doi.org/10.1016/j.imavis.2009.08.002",
        ),
        tags=TAGS,
    )


def _with_neutral(count: str = "") -> tuple[ProtocolRule, ...]:
    """Six emotions, and the same with neutral first frames; ``count`` says how many pictures the six have."""
    told = f"Ten folds of subjects, sorted by id and dealt in turn; six emotions{count}"
    return (
        ProtocolRule("6-class", stepped_folds(10), told, "subject", _SIX),
        ProtocolRule("7-neutral", stepped_folds(10), "The same folds; with neutral first frames", "subject"),
    )
