"""What the four papers are, what they report, and the weights that their trunks begin with."""

from __future__ import annotations

from ferbench import Paper, Reported, Weights

SCN = Paper(
    title="Suppressing Uncertainties for Large-Scale Facial Expression Recognition",
    authors="Kai Wang, Xiaojiang Peng, Jianfei Yang, Shijian Lu, Yu Qiao",
    year=2020,
    venue="CVPR",
    url="https://arxiv.org/abs/2002.10392",
)
DAN = Paper(
    title="Distract Your Attention: Multi-head Cross Attention Network for Facial Expression Recognition",
    authors="Zhengyao Wen, Wenzhong Lin, Tao Wang, Ge Xu",
    year=2021,
    url="https://arxiv.org/abs/2109.07270",
)
EAC = Paper(
    title="Learn From All: Erasing Attention Consistency for Noisy Label Facial Expression Recognition",
    authors="Yuhang Zhang, Chengrui Wang, Xu Ling, Weihong Deng",
    year=2022,
    venue="ECCV",
    url="https://arxiv.org/abs/2207.10299",
)
RUL = Paper(
    title="Relative Uncertainty Learning for Facial Expression Recognition",
    authors="Yuhang Zhang, Chengrui Wang, Weihong Deng",
    year=2021,
    venue="NeurIPS",
    url="https://github.com/zyh-uaiaaaa/Relative-Uncertainty-Learning",
)

IMAGENET_18 = Weights(
    name="resnet18-imagenet",
    description="torchvision's ResNet18, IMAGENET1K_V1",
    trained_on="ImageNet-1k",
    how_to_get="https://download.pytorch.org/models/resnet18-f37072fd.pth",
    sha256="f37072fd",
    licence="BSD-3-Clause (code); ImageNet's terms hold for the data",
)
IMAGENET_50 = Weights(
    name="resnet50-imagenet",
    description="torchvision's ResNet50, IMAGENET1K_V1",
    trained_on="ImageNet-1k",
    how_to_get="https://download.pytorch.org/models/resnet50-0676ba61.pth",
    sha256="0676ba61",
    licence="BSD-3-Clause (code); ImageNet's terms hold for the data",
)
MSCELEB_18 = Weights(
    name="resnet18-msceleb",
    description="ResNet18 trained to tell faces apart (resnet18_msceleb.pth)",
    trained_on="MS-Celeb-1M",
    how_to_get="the link MSCeleb in the README of https://github.com/yaoing/DAN",
    licence="not stated; MS-Celeb-1M was withdrawn by its publisher",
)

ORACLE = "the epoch with the best score on the reported set"

REPORTED = {
    "scn": (
        Reported(
            dataset="raf-db",
            protocol="official",
            split="test",
            metric="accuracy",
            value=0.8703,
            locator="README of the code: trained on RAF-DB only",
            classes=7,
            selection="oracle",
            extra_data="ImageNet or MS-Celeb-1M",
            caveat=ORACLE,
        ),
        Reported(
            dataset="raf-db",
            protocol="official",
            split="test",
            metric="accuracy",
            value=0.8814,
            locator="Abstract",
            classes=7,
            selection="oracle",
            extra_data="MS-Celeb-1M, and further pictures of expressions",
            caveat=ORACLE,
        ),
        Reported(
            dataset="ferplus",
            protocol="argmax",
            split="test",
            metric="accuracy",
            value=0.8935,
            locator="Abstract",
            classes=8,
            selection="oracle",
            extra_data="MS-Celeb-1M",
            caveat=f"{ORACLE}; users report 83 to 85 %",
        ),
        Reported(
            dataset="affectnet",
            protocol="8-class",
            split="test",
            metric="accuracy",
            value=0.6023,
            locator="Abstract",
            classes=8,
            selection="oracle",
            extra_data="MS-Celeb-1M",
            caveat=ORACLE,
        ),
    ),
    "dan": tuple(
        Reported(
            dataset=dataset,
            protocol=protocol,
            split="test",
            metric="accuracy",
            value=value,
            locator="README of the code, table of models",
            classes=classes,
            selection="oracle",
            extra_data="MS-Celeb-1M",
            caveat=caveat,
        )
        for dataset, protocol, value, classes, caveat in (
            ("raf-db", "official", 0.8970, 7, f"{ORACLE}; users reach 88.98 to 89.0 %"),
            ("affectnet", "7-class", 0.6569, 7, ORACLE),
            ("affectnet", "8-class", 0.6209, 8, ORACLE),
        )
    ),
    "eac": (
        Reported(
            dataset="raf-db",
            protocol="official",
            split="test",
            metric="accuracy",
            value=0.9035,
            locator="Run by the authors again, in the code's issues",
            classes=7,
            selection="oracle",
            extra_data="VGGFace2",
            caveat=f"{ORACLE}, seed 0; the README promises over 90 %, a user with another batch size reaches 83 %",
        ),
    ),
    "rul": (
        Reported(
            dataset="raf-db",
            protocol="official",
            split="test",
            metric="accuracy",
            value=0.8898,
            locator="Listed for the paper (ResNet-18) on Papers with Code",
            classes=7,
            selection="oracle",
            extra_data="MS-Celeb-1M",
            caveat=f"{ORACLE}, seed 0; the code keeps weights from 88.8 % on",
        ),
    ),
}
"""By the method's name. None is of FER2013."""
