use super::*;

const HEADS: usize = 2;
const DIM: usize = 3;
const WIDTH: usize = HEADS * DIM;

fn row(position: usize) -> [f32; WIDTH] {
    let mut row = [0.0; WIDTH];
    for (column, to) in row.iter_mut().enumerate() {
        *to = (position * WIDTH + column) as f32;
    }
    row
}

fn filled(window: Option<usize>, len: usize) -> Pages<f32> {
    let mut pages = Pages::new(window, HEADS, DIM);
    extend(&mut pages, len);
    pages
}

fn extend(pages: &mut Pages<f32>, len: usize) {
    for position in pages.len()..len {
        pages.append(&row(position), &row(position + 1));
        pages.give_up();
    }
}

/// The positions that are held from the page of `from` on.
fn held(pages: &Pages<f32>, from: usize) -> Vec<usize> {
    let (spans, first) = pages.spans(from);
    let mut positions = Vec::new();
    for span in spans {
        let (KvView::F32(keys), KvView::F32(values)) = (span.keys, span.values) else { panic!() };
        let of_position = |of_heads: &[f32], slot: usize| {
            let capacity = of_heads.len() / HEADS;
            let heads = of_heads.chunks(capacity).map(|head| &head[slot * DIM..(slot + 1) * DIM]);
            heads.collect::<Vec<_>>().concat()
        };
        for slot in 0..span.len {
            let (keys, values) = (of_position(keys, slot), of_position(values, slot));
            let position = keys[0] as usize / WIDTH;
            assert_eq!((keys, values), (row(position).to_vec(), row(position + 1).to_vec()));
            positions.push(position);
        }
    }
    assert_eq!(positions, (first..pages.len()).collect::<Vec<_>>());
    positions
}

#[test]
fn a_full_layer_keeps_everything() {
    for len in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 5] {
        let pages = filled(None, len);
        assert_eq!(held(&pages, 0).len(), len);
        assert_eq!(pages.bytes(), len.div_ceil(PAGE) * PAGE * WIDTH * 8);
    }
}

#[test]
fn a_sliding_layer_keeps_its_window_and_less_than_a_page_more() {
    for window in [1, 2, PAGE, PAGE + 1, 100] {
        for len in [1, PAGE, 2 * PAGE + 1, 1000, 1001] {
            let pages = filled(Some(window), len);
            let needed = pages.first_needed(len);
            assert_eq!(
                needed,
                (len + 1).saturating_sub(window),
                "the next sees {window} with itself"
            );
            let positions = held(&pages, needed);
            // A window of one sees nothing but the token itself.
            assert!(needed == len || positions.contains(&needed), "{window} {len}");
            assert!(pages.bytes() <= (window + 2 * PAGE) * WIDTH * 8, "{window} {len}");
        }
    }
}

#[test]
fn a_fork_goes_its_own_way() {
    let mut one = filled(Some(40), 50);
    let mut other = one.clone();
    extend(&mut one, 90);
    for position in 50..55 {
        other.append(&row(position), &row(position + 1));
    }
    assert_eq!((held(&one, 60).last(), held(&other, 40).last()), (Some(&89), Some(&54)));
}

#[test]
fn truncating_needs_what_the_next_token_sees() {
    let mut full = filled(None, 100);
    assert!(full.truncate(7) && full.len() == 7);
    extend(&mut full, 60);
    assert_eq!(held(&full, 0).len(), 60);
    let mut sliding = filled(Some(40), 200);
    // Pages before position 160 are gone.
    assert!(!sliding.truncate(198) || held(&sliding, 159).contains(&159));
    assert!(!sliding.truncate(50));
    let len = sliding.len();
    assert!(sliding.truncate(len - 1));
    extend(&mut sliding, 260);
    held(&sliding, 221);
    let mut short = filled(Some(40), 30);
    assert!(short.truncate(0));
    extend(&mut short, 10);
    assert_eq!(held(&short, 0).len(), 10);
}

#[test]
fn out_and_in_again() {
    for (window, len) in [(None, 77), (Some(40), 30), (Some(40), 333), (Some(1), 64), (None, 0)] {
        let pages = filled(window, len);
        let (keys, values, first) = pages.export();
        let by_position: Vec<f32> = (first..len).flat_map(row).collect();
        assert_eq!(keys, bytemuck::cast_slice::<f32, u8>(&by_position));
        let mut again = Pages::<f32>::new(window, HEADS, DIM);
        assert!(again.import(&keys, &values, first, len));
        let from = pages.first_needed(len);
        assert_eq!(held(&again, from), held(&pages, from));
        extend(&mut again, len + 3);
        held(&again, again.first_needed(len + 3));
        assert!(!again.import(&keys[..keys.len().saturating_sub(1)], &values, first, len + 1));
    }
}
