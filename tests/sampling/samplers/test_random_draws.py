from micromime.sampling.samplers.random_draws import RandomDraws
from micromime.scenario.streams import stream


def asked(grains, scored, count=20):
    return RandomDraws().propose(grains, scored, count, stream(0, "resample"))


def test_it_pays_no_heed_to_what_was_scored(grains, pool):
    assert asked(grains, pool([0.5] * 30)) == asked(grains, pool([])) == asked(grains, pool([0.1]))
    assert {each.parent for each in asked(grains, pool([0.1]))} == {""}


def test_its_instances_are_draws_of_the_scenario(grains, pool):
    rng = stream(0, "resample")
    assert [each.instance for each in asked(grains, pool([0.5]))] == [grains.draw(rng) for _ in range(20)]


def test_it_does_not_repeat_the_base_set_or_the_scored_one_even_with_their_seed(grains, pool):
    fresh = {each.instance.seed for each in asked(grains, pool([0.5]), 40)}
    for purpose in ("instance", "scoring"):
        assert fresh.isdisjoint({grains.draw_one(0, index, purpose).seed for index in range(40)})
