//! A creature card: one small file with a creature's adapter and all that is known of it.
//!
//! It is a safetensors file, which every tool for these opens: f32 tensors `layers.{i}.{q|k|v|o|gate|up|down}.lora_A` `[r, in]` and
//! `.lora_B` `[out, r]`, rows in the order of the model that the card names, and beside them, in `__metadata__`, one text of JSON under
//! `evolora_card`: format version, model (name, SHA-256, row order), rank, alpha, sites, lineage, scores.
//!
//! This module does *not* know where cards are kept.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Adapter, Base, CardLineage, Creature, RowOrder, ScoreCard, Site,
    pairs::{Kept, SafetensorsFile, Source as _, read_pairs, shown, to_bytes, write_safetensors},
};
use crate::{
    brain::error::{BrainError, Result},
    checksum::sha256,
};

/// The key of the metadata under which a card says what it is.
pub(super) const KEY: &str = "evolora_card";
/// The version that is written, and the newest that is read.
const VERSION: u64 = 1;

/// What a card says beside its tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Card {
    version: u64,
    model: CardModel,
    rank: usize,
    alpha: f32,
    /// The sites, as `layer.matrix`, from the bottom up.
    sites: Vec<String>,
    #[serde(default)]
    lineage: CardLineage,
    #[serde(default)]
    scores: ScoreCard,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_from: Option<String>,
    /// SHA-256 of the numbers, matrix by matrix in the order of their names, A before B, as f32 with the little end first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    numbers_sha256: Option<String>,
}

/// The sum of a card's numbers.
fn sum(sites: &[Site], adapter: &Adapter) -> String {
    let mut pairs: Vec<_> = sites.iter().map(site_name).zip(&adapter.pairs).collect();
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    let bytes: Vec<u8> =
        pairs.into_iter().flat_map(|(_, pair)| [to_bytes(&pair.a), to_bytes(&pair.b)].concat()).collect();
    sha256(&bytes)
}

/// The model that a card was made on.
#[derive(Debug, Serialize, Deserialize)]
struct CardModel {
    name: String,
    sha256: String,
    rows: RowOrder,
}

fn site_name(site: &Site) -> String {
    format!("{}.{}", site.layer, site.target)
}

fn tensors(site: &Site) -> [String; 2] {
    ["A", "B"].map(|half| format!("layers.{}.lora_{half}", site_name(site)))
}

/// The bytes of a card.
///
/// # Errors
/// It would have more bytes than the format can hold.
pub(super) fn write_card(base: &Base, creature: &Creature) -> Result<Vec<u8>> {
    let layout = &creature.layout;
    let card = Card {
        version: VERSION,
        model: CardModel { name: base.name.clone(), sha256: base.sha256.clone(), rows: base.rows() },
        rank: layout.rank,
        alpha: layout.alpha,
        sites: layout.sites.iter().map(site_name).collect(),
        lineage: creature.lineage.clone(),
        scores: creature.scores.clone(),
        made_from: creature.made_from.clone(),
        numbers_sha256: Some(sum(&layout.sites, &creature.adapter)),
    };
    let card = serde_json::to_string(&card);
    let card = card.map_err(|error| BrainError::Setting(format!("The creature cannot be described ({error})")))?;
    let mut all = Vec::with_capacity(2 * layout.sites.len());
    for (site, pair) in layout.sites.iter().zip(&creature.adapter.pairs) {
        let [a, b] = tensors(site);
        all.push((a, [layout.rank, site.inner], to_bytes(&pair.a)));
        all.push((b, [site.out, layout.rank], to_bytes(&pair.b)));
    }
    write_safetensors(&all, KEY, &card)
}

/// Reads a card for a model; one that was made on another is refused, unless `any_model` says that it may be tried.
///
/// # Errors
/// It is no card, was made on another model, or holds what does not fit it.
pub(super) fn read_card(path: &Path, base: &Base, any_model: bool) -> Result<Creature> {
    let refuse = |what: String| BrainError::file(path, what);
    let mut file = SafetensorsFile::open(path)?;
    let note = file.tensors.notes().get(KEY);
    let note = note.ok_or_else(|| {
        refuse(
            "it is no creature card; a PEFT adapter is named by its folder, with adapter_config.json in it".to_owned(),
        )
    })?;
    let json: serde_json::Value = serde_json::from_str(note).map_err(|error| refuse(format!("its card: {error}")))?;
    let version = json["version"].as_u64().unwrap_or_default();
    if version != VERSION {
        return Err(refuse(format!("it is a card of version {version}, and this program knows version {VERSION}")));
    }
    let card = Card::deserialize(json).map_err(|error| refuse(format!("its card: {error}")))?;
    if card.model.sha256 != base.sha256 && !any_model {
        return Err(refuse(other_model(&card.model, base)));
    }
    let names = file.names();
    for name in &card.sites {
        let site = base.shape.sites().into_iter().find(|site| site_name(site) == *name);
        let site =
            site.ok_or_else(|| refuse(format!("its matrix {} is none of the model {}'s", shown(name), base.name)))?;
        if let Some(missing) = tensors(&site).into_iter().find(|name| names.binary_search(name).is_err()) {
            return Err(refuse(format!("it has no tensor {missing}")));
        }
    }
    let (rank, alpha, rows) = (card.rank, card.alpha, card.model.rows);
    let kept = Kept { shape: &base.shape, rank, alpha, rows, names: &tensors };
    let (layout, adapter) = read_pairs(&mut file, &kept)?;
    if let Some(site) = layout.sites.iter().find(|site| !card.sites.contains(&site_name(site))) {
        return Err(refuse(format!("it holds the tensor {}, which its card does not name", tensors(site)[0])));
    }
    // Rows that were put into another order are no longer those that were summed.
    let sum = (rows == base.rows()).then(|| sum(&layout.sites, &adapter));
    if let (Some(was), Some(is)) = (&card.numbers_sha256, &sum)
        && was != is
    {
        return Err(refuse("its numbers were altered: they do not give the sum that the card names".to_owned()));
    }
    let other = card.model.sha256 != base.sha256;
    let made_on = other.then(|| format!("a card of the model {}, SHA-256 {}", card.model.name, card.model.sha256));
    let made_from = made_on.or(card.made_from);
    Ok(Creature { layout, adapter, lineage: card.lineage, scores: card.scores, made_from })
}

/// Why a card of one model is not for another.
fn other_model(made_on: &CardModel, base: &Base) -> String {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let (theirs, ours) = (short(&made_on.sha256), short(&base.sha256));
    let (name, same) =
        (shown(&made_on.name), if made_on.name == base.name { "another file of that name, " } else { "" });
    format!(
        "it was made on the model {name} (SHA-256 {theirs}…), and the model here is {same}{} ({ours}…): name its own with --model, or \
         try `evolora import --any-model`, after which it may mean something else",
        base.name
    )
}
