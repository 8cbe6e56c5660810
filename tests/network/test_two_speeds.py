import pytest
import torch

from seisbench_llm import SeisMoLLM
from seisbench_llm.network.two_speeds import two_speeds
from seisbench_llm.preprocess import normalize
from tests.helpers.models import tiny_model

SAMPLES = 1200


def model(**kwargs):
    return tiny_model(two_speeds=True, in_samples=SAMPLES, **kwargs).eval()


def windows(batch=2):
    return torch.randn(batch, 3, SAMPLES, generator=torch.Generator().manual_seed(0))


def test_shares_add_up_to_one_everywhere():
    curves = two_speeds(lambda x: torch.full((len(x), 3, x.shape[-1]), 0.3), windows())
    assert curves.shape == (2, 3, SAMPLES)
    torch.testing.assert_close(curves, torch.full_like(curves, 0.3))


@pytest.mark.parametrize("at", [2, 301, 598, 600, 603, 900, 1197])
def test_an_onset_keeps_its_time(at):
    """Whichever parts see it, and at either speed."""
    x = torch.zeros(1, 3, SAMPLES)
    x[..., at] = 1.0
    curves = two_speeds(lambda x: (x >= x.amax(dim=-1, keepdim=True)) * x.any(), x)
    inside = curves[0, 0].nonzero().flatten()
    assert curves[0, 0].argmax() == at and (inside - at).abs().max() <= 2


def test_what_only_its_own_speed_shows_stays():
    answers = iter([0.5, 0.5, 0.5, 0.0])
    curves = two_speeds(lambda x: torch.full((len(x), 3, x.shape[-1]), next(answers)), windows())
    torch.testing.assert_close(curves, torch.full_like(curves, 0.4))


def test_every_part_is_normalised_on_its_own():
    seen = []

    def curves(x):
        seen.append(x)
        return torch.zeros_like(x)

    two_speeds(curves, windows() * torch.linspace(1, 100, SAMPLES))
    assert [part.shape for part in seen] == [(2, 3, SAMPLES // 2)] * 4
    for part in seen:
        torch.testing.assert_close(part.std(dim=-1), torch.ones(2, 3), atol=2e-3, rtol=0)


def test_twice_as_fast_is_every_second_sample_without_what_is_too_fast():
    time = torch.arange(SAMPLES) * 0.01
    slow, fast = torch.sin(2 * torch.pi * 5 * time), torch.sin(2 * torch.pi * 40 * time)
    seen = []
    two_speeds(lambda x: seen.append(x) or torch.zeros_like(x), (slow + fast).repeat(1, 3, 1))
    wanted = slow[::2] / slow[::2].std()
    torch.testing.assert_close(seen[-1][0, 0, 20:-20], wanted[20:-20], atol=0.02, rtol=0)


def test_fast_network_gives_the_same():
    picker, x = model(), windows()
    with torch.no_grad():
        wanted, logits = picker(x), picker(x, logits=True)
    torch.testing.assert_close(picker.predict(x), wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.sigmoid(logits), wanted, atol=1e-5, rtol=0)
    torch.testing.assert_close(picker.predict(x[:1]), wanted[:1], atol=1e-5, rtol=0)
    half = picker.predict(x, "bfloat16")
    assert half.dtype == torch.float32 and (half - wanted).abs().max() < 0.1


def test_newest_half_at_one_speed():
    picker, x = model(), windows()
    curves = picker.predict_newest(x)
    assert curves.shape == (2, 3, SAMPLES) and curves[..., : SAMPLES // 2].isnan().all()
    wanted = picker.network._answer(normalize(x[..., SAMPLES // 2 :]))
    torch.testing.assert_close(curves[..., SAMPLES // 2 :], wanted, atol=1e-5, rtol=0)
    one = tiny_model(in_samples=SAMPLES).eval()
    torch.testing.assert_close(one.predict_newest(x), one.predict(x))


def test_it_learns():
    picker = model().train()
    picker(windows(), logits=True).square().mean().backward()
    assert all(parameter.grad is not None for parameter in picker.network.parameters())


def test_a_saved_model_has_both(tmp_path):
    picker, x = model(), windows()
    picker.save(tmp_path / "picker", "A picker.")
    again = SeisMoLLM.from_pretrained(str(tmp_path / "picker"))
    torch.testing.assert_close(again.predict(x), picker.predict(x))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"in_samples": 1202}, "multiple of four samples, not for picking with 1202"),
        ({"task": "polarity", "pred_sample": 50}, "tasks with curves"),
        ({"joint_norm": True}, "joint_norm has to be False"),
    ],
)
def test_where_it_is_not_possible(change, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(**{"two_speeds": True, "in_samples": SAMPLES, **change})
