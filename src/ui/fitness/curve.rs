//! A curve that never has more than about two thousand points, however long a run is: its extremes are kept.
//!
//! This module does *not* know what a curve is about, or how it is drawn.

/// Buckets that a curve keeps at most; each has two points.
const BUCKETS: usize = 1000;

/// The lowest and the highest of the points that fell into one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    lowest: [f64; 2],
    highest: [f64; 2],
}

impl Bucket {
    const fn of(point: [f64; 2]) -> Self {
        Self { lowest: point, highest: point }
    }

    fn merge(&mut self, other: Self) {
        if other.lowest[1] < self.lowest[1] {
            self.lowest = other.lowest;
        }
        if other.highest[1] > self.highest[1] {
            self.highest = other.highest;
        }
    }
}

/// Points in the order of x, thinned while they come: of each bucket of neighbours the lowest and the highest are kept,
/// and the newest of all. Whenever there would be too many buckets, two neighbours become one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    buckets: Vec<Bucket>,
    /// Points that each bucket takes: 1, 2, 4, …
    room: u64,
    /// Points in the last bucket.
    filled: u64,
    newest: Option<[f64; 2]>,
}

impl Curve {
    /// Adds a point, whose x is not below that of the last one. Points that are not finite are left out.
    pub fn push(&mut self, x: f64, y: f64) {
        if !x.is_finite() || !y.is_finite() {
            return;
        }
        let one = Bucket::of([x, y]);
        self.newest = Some([x, y]);
        if self.filled < self.room
            && let Some(last) = self.buckets.last_mut()
        {
            last.merge(one);
            self.filled += 1;
            return;
        }
        if self.buckets.len() == BUCKETS {
            self.halve();
        }
        self.room = self.room.max(1);
        self.buckets.push(one);
        self.filled = 1;
    }

    fn halve(&mut self) {
        self.buckets = self
            .buckets
            .chunks(2)
            .map(|pair| {
                let mut whole = pair[0];
                pair[1..].iter().for_each(|other| whole.merge(*other));
                whole
            })
            .collect();
        self.room *= 2;
    }

    /// The points that are kept, in the order of x.
    pub fn points(&self) -> Vec<[f64; 2]> {
        let mut points: Vec<[f64; 2]> = Vec::with_capacity(2 * self.buckets.len() + 1);
        for Bucket { lowest, highest } in &self.buckets {
            let (first, second) = if lowest[0] <= highest[0] { (lowest, highest) } else { (highest, lowest) };
            points.push(*first);
            if first != second {
                points.push(*second);
            }
        }
        points.extend(self.newest.filter(|newest| points.last() != Some(newest)));
        points
    }

    /// The newest point.
    pub const fn newest(&self) -> Option<[f64; 2]> {
        self.newest
    }

    /// Whether there is no point.
    pub const fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Forgets every point.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl FromIterator<[f64; 2]> for Curve {
    fn from_iter<T: IntoIterator<Item = [f64; 2]>>(points: T) -> Self {
        let mut curve = Self::default();
        points.into_iter().for_each(|[x, y]| curve.push(x, y));
        curve
    }
}

/// The y of a curve's points at this x, on the straight line between its neighbours; outside, that of the nearest end.
fn height_at(points: &[[f64; 2]], x: f64) -> f64 {
    let after = points.partition_point(|point| point[0] < x);
    match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
        (Some([left, low]), Some([right, high])) if right > left => low + (high - low) * (x - left) / (right - left),
        (_, Some([_, y])) | (Some([_, y]), None) => *y,
        (None, None) => 0.0,
    }
}

/// What lies between two curves: x, the lower and the upper y, for a band.
pub(super) fn band(lower: &Curve, upper: &Curve) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (lower, upper) = (lower.points(), upper.points());
    if lower.is_empty() || upper.is_empty() {
        return Default::default();
    }
    let mut places: Vec<f64> = lower.iter().chain(&upper).map(|point| point[0]).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let along = |points: &[[f64; 2]]| places.iter().map(|x| height_at(points, *x)).collect::<Vec<_>>();
    let (below, above) = (along(&lower), along(&upper));
    (places, below, above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_curve_keeps_every_point() {
        let points: Vec<_> = (0..1000).map(|x| [f64::from(x), f64::from(x * 7 % 13)]).collect();
        assert_eq!(points.iter().copied().collect::<Curve>().points(), points);
        assert!(Curve::default().points().is_empty());
    }

    #[test]
    fn a_curve_of_a_week_keeps_its_extremes_and_its_end() {
        // Three peaks and three hollows, each of a single generation, among 300,000.
        let peaks = [(0, 90.0), (123_457, 100.0), (250_001, 95.0), (7, -90.0), (199_998, -100.0), (299_998, -95.0)];
        let height = |x: u32| peaks.iter().find(|(at, _)| *at == x).map_or(f64::from(x % 10), |(_, y)| *y);
        let curve: Curve = (0..300_000).map(|x| [f64::from(x), height(x)]).collect();
        let points = curve.points();
        assert!(points.len() <= 2001 && points.len() > 900, "{}", points.len());
        for (x, y) in peaks {
            assert!(points.contains(&[f64::from(x), y]), "({x}, {y}) is lost");
        }
        assert_eq!(points.last(), Some(&[299_999.0, 9.0]));
        assert_eq!(curve.newest(), Some([299_999.0, 9.0]));
        assert!(points.windows(2).all(|pair| pair[0][0] < pair[1][0]), "x grows");
    }

    #[test]
    fn each_bucket_has_the_extremes_of_its_points() {
        let height = |x: u32| f64::from(x * 2_654_435 % 1009);
        let curve: Curve = (0..5000).map(|x| [f64::from(x), height(x)]).collect();
        // 5000 points in at most 1000 buckets: 8 points each.
        for (bucket, points) in curve.buckets.iter().zip((0..5000).collect::<Vec<_>>().chunks(8)) {
            let heights = || points.iter().map(|x| height(*x));
            assert_eq!(bucket.lowest[1], heights().fold(f64::INFINITY, f64::min));
            assert_eq!(bucket.highest[1], heights().fold(f64::NEG_INFINITY, f64::max));
        }
        assert_eq!((curve.buckets.len(), curve.room), (625, 8));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let curve: Curve = [[0.0, 1.0], [1.0, f64::NAN], [2.0, f64::INFINITY], [3.0, 2.0]].into_iter().collect();
        assert_eq!(curve.points(), [[0.0, 1.0], [3.0, 2.0]]);
    }

    #[test]
    fn a_band_lies_between_its_curves() {
        let lower: Curve = [[0.0, 0.0], [4.0, 4.0]].into_iter().collect();
        let upper: Curve = [[0.0, 10.0], [1.0, 20.0], [4.0, 8.0]].into_iter().collect();
        let (x, below, above) = band(&lower, &upper);
        assert_eq!((x, below, above), (vec![0.0, 1.0, 4.0], vec![0.0, 1.0, 4.0], vec![10.0, 20.0, 8.0]));
        assert_eq!(band(&Curve::default(), &upper), (vec![], vec![], vec![]));
    }
}
