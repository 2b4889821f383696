from endash.model import Model, load  # noqa

AnyModel = Model


def class_of(recipe):
    return Model
