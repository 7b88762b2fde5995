"""Figures of Altmeyer, Buszydlik, van Deursen and Liem (2025), "Counterfactual training"."""

DATA = (
    "linearly separable",
    "circles",
    "moons",
    "overlapping",
    "Adult",
    "California",
    "credit default",
    "GMSC",
    "MNIST",
)

# Table I: reduction in percent, its error, and whether it has a star.
TABLE_1 = {
    "IP": (
        (29.05, 0.67, True),
        (56.29, 0.44, True),
        (20.62, 0.69, True),
        (-1.13, 0.88, False),
        (0.77, 1.34, False),
        (12.05, 1.41, True),
        (12.31, 1.84, True),
        (23.44, 1.99, True),
        (7.05, 1.80, True),
    ),
    "IP*": (
        (55.33, 2.03, True),
        (89.38, 9.30, True),
        (19.26, 8.12, True),
        (-24.52, 14.52, False),
        (32.29, 6.87, True),
        (70.27, 3.72, True),
        (54.89, 11.21, True),
        (73.31, 4.83, True),
        (-25.09, 109.05, False),
    ),
    "cost": (
        (14.07, 0.60, True),
        (45.55, 0.76, True),
        (2.86, 1.03, True),
        (38.39, 2.21, True),
        (-2.82, 4.88, False),
        (40.71, 1.55, True),
        (-17.43, 5.17, True),
        (62.64, 2.04, True),
        (-12.34, 6.52, False),
    ),
}

# Table II: sensitivity to the protected features, CT and BL.
TABLE_2 = (
    (0.03, 10.24),
    (3.20, 149.76),
    (60.84, 0.55),
    (0.78, 4.81),
    (0.43, 1.0),
    (0.08, 0.23),
    (0.0, 0.43),
    (1.0, 0.21),
    (0.18, 0.41),
)

# Table III: validity of CT and BL with all features mutable, then with protected features.
TABLE_3 = (
    (1.0, 1.0, 1.0, 1.0),
    (0.97, 0.52, 0.67, 0.49),
    (1.0, 1.0, 0.99, 0.98),
    (0.87, 0.98, 0.37, 0.57),
    (0.61, 0.99, 0.56, 0.99),
    (0.96, 1.0, 0.96, 1.0),
    (0.70, 1.0, 0.67, 1.0),
    (0.63, 1.0, 0.38, 1.0),
    (1.0, 1.0, 1.0, 1.0),
)
