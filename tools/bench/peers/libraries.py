"""Attacks of Foolbox, ART, adv-lib (a port of AutoAttack's APGD among them) and torchattacks, all called alike:

    attack(model, clean, labels, norm, epsilon, steps) -> adversarial

`norm` is linf, l2, l1 or l0; `epsilon` is None for attacks of minimum norm. Options are the libraries' defaults, but for steps, and for PGD's
step size: 2.5 epsilon / steps (Madry et al., 2018).
"""

import math
import sys
import types

import numpy as np

# adv-lib imports visdom to draw curves that nobody asks for here, and visdom's package no longer builds.
sys.modules.setdefault("visdom", types.ModuleType("visdom"))

STEP_SHARE = 2.5
ORDERS = {"linf": math.inf, "l2": 2, "l1": 1, "l0": 0}


def foolbox_pgd(model, clean, labels, norm, epsilon, steps):
    import foolbox

    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD, "l1": foolbox.attacks.L1PGD}[norm]
    return by_foolbox(kind(rel_stepsize=STEP_SHARE / steps, steps=steps), model, clean, labels, epsilon)


def foolbox_fmn(model, clean, labels, norm, epsilon, steps):
    import foolbox

    attacks = foolbox.attacks
    kind = {
        "linf": attacks.LInfFMNAttack,
        "l2": attacks.L2FMNAttack,
        "l1": attacks.L1FMNAttack,
        "l0": attacks.L0FMNAttack,
    }[norm]
    return by_foolbox(kind(steps=steps), model, clean, labels, None)


def foolbox_ddn(model, clean, labels, norm, epsilon, steps):
    import foolbox

    return by_foolbox(foolbox.attacks.DDNAttack(steps=steps), model, clean, labels, None)


def foolbox_cw(model, clean, labels, norm, epsilon, steps):
    import foolbox

    rounds = 9
    attack = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=rounds, steps=max(1, steps // rounds))
    return by_foolbox(attack, model, clean, labels, None)


def foolbox_deepfool(model, clean, labels, norm, epsilon, steps):
    import foolbox

    kind = {"linf": foolbox.attacks.LinfDeepFoolAttack, "l2": foolbox.attacks.L2DeepFoolAttack}[norm]
    return by_foolbox(kind(steps=steps), model, clean, labels, None)


def by_foolbox(attack, model, clean, labels, epsilon):
    import foolbox

    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, clipped, _ = attack(wrapped, clean, labels, epsilons=epsilon)
    return clipped


def art_pgd(model, clean, labels, norm, epsilon, steps):
    from art.attacks.evasion import ProjectedGradientDescent

    return by_art(
        lambda classifier: ProjectedGradientDescent(
            classifier,
            norm=art_norm(norm),
            eps=epsilon,
            eps_step=STEP_SHARE * epsilon / steps,
            max_iter=steps,
            num_random_init=1,
            batch_size=len(clean),
            verbose=False,
        ),
        model,
        clean,
        labels,
    )


def art_apgd(model, clean, labels, norm, epsilon, steps):
    from art.attacks.evasion import AutoProjectedGradientDescent

    return by_art(
        lambda classifier: AutoProjectedGradientDescent(
            classifier,
            norm=art_norm(norm),
            eps=epsilon,
            eps_step=2 * epsilon,
            max_iter=steps,
            nb_random_init=1,
            batch_size=len(clean),
            loss_type="cross_entropy",
            verbose=False,
        ),
        model,
        clean,
        labels,
    )


def art_norm(norm):
    return np.inf if norm == "linf" else ORDERS[norm]


def by_art(make, model, clean, labels):
    import torch
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        model=model,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=tuple(clean.shape[1:]),
        nb_classes=2,
        clip_values=(0, 1),
        device_type="cpu",
    )
    one_hot = np.eye(2, dtype=np.float32)[labels.numpy()]
    return make(classifier).generate(x=clean.numpy(), y=one_hot)


def torchattacks_apgd(model, clean, labels, norm, epsilon, steps):
    import torchattacks

    attack = torchattacks.APGD(model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=epsilon, steps=steps, loss="ce")
    return attack(clean, labels)


def adv_lib_apgd(model, clean, labels, norm, epsilon, steps):
    from adv_lib.attacks import apgd

    return apgd(model, clean, labels, eps=epsilon, norm=ORDERS[norm], n_iter=steps, loss_function="ce")


def adv_lib_fmn(model, clean, labels, norm, epsilon, steps):
    from adv_lib.attacks import fmn

    return fmn(model, clean, labels, norm=ORDERS[norm], steps=steps)


def adv_lib_ddn(model, clean, labels, norm, epsilon, steps):
    from adv_lib.attacks import ddn

    return ddn(model, clean, labels, steps=steps, levels=None)


def adv_lib_fab(model, clean, labels, norm, epsilon, steps):
    from adv_lib.attacks import fab

    return fab(model, clean, labels, norm=ORDERS[norm], n_iter=steps)


def adv_lib_deepfool(model, clean, labels, norm, epsilon, steps):
    from adv_lib.attacks import df

    return df(model, clean, labels, steps=steps, norm=ORDERS[norm])


def adv_lib_sigma_zero(model, clean, labels, norm, epsilon, steps):
    from adv_lib.attacks import sigma_zero

    return sigma_zero(model, clean, labels, num_steps=steps)


ATTACKS = {
    "foolbox pgd": foolbox_pgd,
    "foolbox fmn": foolbox_fmn,
    "foolbox ddn": foolbox_ddn,
    "foolbox cw": foolbox_cw,
    "foolbox deepfool": foolbox_deepfool,
    "art pgd": art_pgd,
    "art apgd": art_apgd,
    "torchattacks apgd": torchattacks_apgd,
    "adv-lib apgd": adv_lib_apgd,
    "adv-lib fmn": adv_lib_fmn,
    "adv-lib ddn": adv_lib_ddn,
    "adv-lib fab": adv_lib_fab,
    "adv-lib deepfool": adv_lib_deepfool,
    "adv-lib sigma-zero": adv_lib_sigma_zero,
}
