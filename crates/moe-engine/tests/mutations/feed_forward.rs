//! The second half of a layer.

use crate::mistake::Mistake;
use crate::model::{Config, Layer, norm};
use moe_kernels::reference::{Choice, Swiglu, linear, mixture, route};

/// Adds the chosen experts to the tokens `x`, and returns which those were.
pub(crate) fn add(
    config: &Config,
    layer: &Layer,
    x: &mut [Vec<f64>],
    mistake: Option<Mistake>,
) -> Vec<Vec<Choice>> {
    let of_token = |x: &mut Vec<f64>| {
        let t = norm(config, x, &layer.post_norm, mistake);
        let routed = if mistake == Some(Mistake::RouterBeforeNorm) { &*x } else { &t };
        let choices = choose(config, &layer.router.forward(routed), mistake);
        for (x, y) in x.iter_mut().zip(mix(config, layer, &t, &choices, mistake)) {
            *x += y;
        }
        choices
    };
    x.iter_mut().map(of_token).collect()
}

fn choose(config: &Config, logits: &[f64], mistake: Option<Mistake>) -> Vec<Choice> {
    let k = config.experts_per_token;
    let mut choices = route(logits, k).unwrap();
    match mistake {
        Some(Mistake::SoftmaxOverAllExperts) => {
            choices = route(logits, logits.len()).unwrap();
            choices.truncate(k);
        }
        Some(Mistake::ExpertsNotWeighted) => {
            for choice in &mut choices {
                choice.weight = 1.0 / k as f64;
            }
        }
        _ => {}
    }
    choices
}

fn mix(
    config: &Config,
    layer: &Layer,
    t: &[f64],
    choices: &[Choice],
    mistake: Option<Mistake>,
) -> Vec<f64> {
    let Some(mistake) = mistake.filter(|mistake| is_inside_expert(*mistake)) else {
        let experts: Vec<_> = layer.experts.iter().map(|e| e.with(config.swiglu)).collect();
        return mixture(t, choices, &experts).unwrap();
    };
    let mut y = vec![0.0; t.len()];
    for Choice { expert, weight } in choices {
        let expert = &layer.experts[*expert];
        let u = linear(t, &expert.gate_up, Some(&expert.gate_up_bias)).unwrap();
        let out = linear(&activate(&u, config.swiglu, mistake), &expert.down, None).unwrap();
        let outside = mistake == Mistake::DownBiasOutsideWeighting;
        let of_bias = if outside { 1.0 } else { *weight };
        for ((y, out), bias) in y.iter_mut().zip(out).zip(&expert.down_bias) {
            *y += weight * out + of_bias * f64::from(*bias);
        }
    }
    y
}

fn is_inside_expert(mistake: Mistake) -> bool {
    matches!(
        mistake,
        Mistake::GateClampDropped
            | Mistake::GateClampedBelow
            | Mistake::UpClampDropped
            | Mistake::UpClampedAboveOnly
            | Mistake::UpNotIncremented
            | Mistake::DownBiasOutsideWeighting
    )
}

fn activate(u: &[f64], Swiglu { alpha, limit }: Swiglu, mistake: Mistake) -> Vec<f64> {
    let none = f64::INFINITY;
    let gate_high = if mistake == Mistake::GateClampDropped { none } else { limit };
    let gate_low = if mistake == Mistake::GateClampedBelow { -limit } else { -none };
    let (up_low, up_high) = match mistake {
        Mistake::UpClampDropped => (-none, none),
        Mistake::UpClampedAboveOnly => (-none, limit),
        _ => (-limit, limit),
    };
    let increment = if mistake == Mistake::UpNotIncremented { 0.0 } else { 1.0 };
    let one = |pair: &[f64]| {
        let (gate, up) = (pair[0].clamp(gate_low, gate_high), pair[1].clamp(up_low, up_high));
        gate / (1.0 + (-alpha * gate).exp()) * (up + increment)
    };
    u.chunks_exact(2).map(one).collect()
}
