import pytest
import torch

from endash.encoders.recurrent import GRUEncoderConfig
from endash.encoders.variational import VariationalConfig, VariationalEncoder, draw


def test_it_samples_in_training_and_takes_the_mean_after_it() -> None:
    torch.manual_seed(0)
    encoder = VariationalEncoder(VariationalConfig(width=3, encoder=GRUEncoderConfig(width=8, dropout=0.0)))
    vectors, mask = torch.randn(2, 4, 8), torch.ones(2, 4, dtype=torch.bool)
    latent = encoder.eval()(vectors, mask).latent
    assert torch.equal(latent.sample, latent.mean)
    drawn = torch.stack([encoder.train()(vectors, mask).latent.sample for _ in range(2000)])
    # 2,000 draws: the mean is within 0.1 standard deviations, the deviation within 10 %, with room to spare
    deviation = (0.5 * latent.log_variance).exp()
    assert ((drawn.mean(0) - latent.mean).abs() < 0.1 * deviation).all()
    assert ((drawn.std(0) / deviation - 1).abs() < 0.1).all()


def test_a_decoder_gets_z_alone_at_every_position() -> None:
    encoder = VariationalEncoder(VariationalConfig(width=3, encoder=GRUEncoderConfig(width=8))).eval()
    memory = encoder(torch.randn(2, 4, 8), torch.ones(2, 4, dtype=torch.bool))
    assert memory.summary is memory.latent.sample
    assert (memory.states == memory.latent.sample[:, None]).all()
    assert not memory.layers


def test_what_was_joined_stays_when_another_vector_is_drawn() -> None:
    encoder = VariationalEncoder(VariationalConfig(width=3, encoder=GRUEncoderConfig(width=8))).eval()
    one, other = (encoder(torch.randn(2, n, 8), torch.ones(2, n, dtype=torch.bool)) for n in (4, 3))
    joined = one.join(other)
    drawn = draw(joined)
    assert drawn.latent is not None
    assert (drawn.latent.sample != drawn.latent.mean).all()
    assert drawn.summary is drawn.latent.sample
    assert (drawn.states[:, :4] == drawn.latent.sample[:, None]).all()
    assert torch.equal(drawn.states[:, 4:], other.states)
    assert torch.equal(drawn.latent.mean, joined.latent.mean)


def test_one_that_wraps_its_own_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder\.encoder\.kind = 'variational' would draw twice.*such as 'lstm'"):
        VariationalConfig(encoder=VariationalConfig())
