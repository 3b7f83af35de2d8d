//! The first half of a layer.

use crate::mistake::Mistake;
use crate::model::{Config, Layer, norm};
use moe_kernels::reference::{
    YarnScaling, attend, concentration, cos_sin, inverse_frequencies, rotate,
};

/// Adds attention to the tokens `x`.
pub(crate) fn add(
    config: &Config,
    layer: &Layer,
    sliding: bool,
    x: &mut [Vec<f64>],
    mistake: Option<Mistake>,
) {
    let projected = project(config, layer, x, mistake);
    let sinks = match mistake {
        Some(Mistake::SinksInSlidingLayersOnly) if !sliding => {
            &vec![f32::NEG_INFINITY; layer.sinks.len()]
        }
        _ => &layer.sinks,
    };
    let scale = match mistake {
        Some(Mistake::ScoresNotScaled) => 1.0,
        _ => 1.0 / (config.yarn.head_dim as f64).sqrt(),
    };
    let window = sliding.then_some(config.window);
    let width = config.kv_heads * config.yarn.head_dim;
    for (position, (x, q)) in x.iter_mut().zip(&projected.queries).enumerate() {
        let seen = match mistake {
            Some(Mistake::FutureSeen) if !sliding => projected.keys.len(),
            _ => (position + 1) * width,
        };
        let (keys, values) = (&projected.keys[..seen], &projected.values[..seen]);
        let o = attend(q, keys, values, sinks, config.kv_heads, scale, window).unwrap();
        for (x, y) in x.iter_mut().zip(layer.output.forward(&o)) {
            *x += y;
        }
    }
}

struct Projected {
    /// `[tokens]` of `[query_heads · head_dim]`, rotated.
    queries: Vec<Vec<f64>>,
    /// `[tokens, kv_heads · head_dim]`, rotated.
    keys: Vec<f64>,
    /// `[tokens, kv_heads · head_dim]`.
    values: Vec<f64>,
}

fn project(config: &Config, layer: &Layer, x: &[Vec<f64>], mistake: Option<Mistake>) -> Projected {
    let inv_freq = frequencies(config, mistake);
    let of_queries = match mistake {
        Some(Mistake::ConcentrationDropped) => 1.0,
        _ => concentration(config.yarn.factor),
    };
    let of_keys = match mistake {
        Some(Mistake::ConcentrationOnQueriesOnly) => 1.0,
        _ => of_queries,
    };
    let mut projected = Projected { queries: Vec::new(), keys: Vec::new(), values: Vec::new() };
    for (position, x) in x.iter().enumerate() {
        let t = norm(config, x, &layer.input_norm, mistake);
        let (cos, sin) = cos_sin(&inv_freq, of_queries, position);
        projected.queries.push(rotate(&layer.query.forward(&t), &cos, &sin).unwrap());
        let of_position = if mistake == Some(Mistake::KeysNotRotated) { 0 } else { position };
        let (cos, sin) = cos_sin(&inv_freq, of_keys, of_position);
        projected.keys.extend(rotate(&layer.key.forward(&t), &cos, &sin).unwrap());
        projected.values.extend(layer.value.forward(&t));
    }
    projected
}

fn frequencies(config: &Config, mistake: Option<Mistake>) -> Vec<f32> {
    let yarn = &config.yarn;
    if mistake == Some(Mistake::EveryFrequencyDivided) {
        let plain = inverse_frequencies(&YarnScaling { factor: 1.0, ..*yarn }).unwrap();
        return plain.iter().map(|f| f / yarn.factor as f32).collect();
    }
    inverse_frequencies(yarn).unwrap()
}
