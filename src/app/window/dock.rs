//! Where the panels are: a tree of tiles that people can move, resize, hide and show.

use bevy_egui::egui::{self, Color32, Stroke, Style, Ui, UiBuilder, Visuals, WidgetText};
use egui_tiles::{
    Behavior, Container, EditAction, SimplificationOptions, TabState, Tile, TileId, Tiles, Tree, UiResponse,
};
use serde::{Deserialize, Serialize};

use crate::{
    palette,
    ui::theme::{ink, panel_frame},
};

/// A panel, or the habitats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Pane {
    /// The habitats themselves.
    Habitat,
    /// Play, speed, settings.
    Controls,
    /// Curves of fitness.
    Fitness,
    /// Everybody's turns.
    Transcript,
    /// The family tree.
    Lineage,
    /// Rows of the generations.
    Generations,
    /// What decisions cost, and what takes memory.
    Machine,
    /// What was said.
    Log,
    /// Everybody, and one mind.
    Agent,
    /// What minds would do.
    WhatIf,
    /// Models, runs and cards.
    Library,
}

impl Pane {
    /// Every panel that can be hidden.
    pub(super) const ALL: [Self; 10] = [
        Self::Controls,
        Self::Fitness,
        Self::Transcript,
        Self::Lineage,
        Self::Generations,
        Self::Machine,
        Self::Log,
        Self::Agent,
        Self::WhatIf,
        Self::Library,
    ];

    /// What its tab says.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Habitat => "Habitat",
            Self::Controls => "Controls",
            Self::Fitness => "Fitness",
            Self::Transcript => "Transcript",
            Self::Lineage => "Lineage",
            Self::Generations => "Generations",
            Self::Machine => "Machine",
            Self::Log => "Log",
            Self::Agent => "Mind",
            Self::WhatIf => "What if",
            Self::Library => "Model & runs",
        }
    }
}

/// The tree of tiles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Dock {
    tree: Tree<Pane>,
    /// Whether somebody has changed it; until then it fits itself to the window.
    is_touched: bool,
    /// Whether it is laid out for a narrow window.
    #[serde(default)]
    is_narrow: bool,
}

/// Panels on the right of the habitat, and those below it.
const RIGHT: [Pane; 3] = [Pane::Agent, Pane::WhatIf, Pane::Library];
const BELOW: [Pane; 6] = [Pane::Fitness, Pane::Transcript, Pane::Lineage, Pane::Generations, Pane::Machine, Pane::Log];
/// Below this width, in points, there is no column on the right: all panels but one are below the habitat.
const NARROW: f32 = 900.0;

impl Default for Dock {
    fn default() -> Self {
        Self { tree: tree(false), is_touched: false, is_narrow: false }
    }
}

/// The tiles as they are at first.
fn tree(narrow: bool) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let mut tabs = |panes: &[Pane]| {
        let children = panes.iter().map(|pane| tiles.insert_pane(*pane)).collect();
        tiles.insert_tab_tile(children)
    };
    let left = tabs(&[Pane::Controls]);
    let (right, below) = if narrow {
        let (first, others) = BELOW.split_at(1);
        (None, tabs(&[first, &RIGHT[..], others].concat()))
    } else {
        (Some(tabs(&RIGHT)), tabs(&BELOW))
    };
    let habitat = tiles.insert_pane(Pane::Habitat);
    let middle = tiles.insert_vertical_tile(vec![habitat, below]);
    let root = tiles.insert_horizontal_tile([left, middle].into_iter().chain(right).collect());
    Tree::new("dock", root, tiles)
}

impl Dock {
    /// Whether this panel shows.
    pub(super) fn shows(&self, pane: Pane) -> bool {
        self.tree.tiles.find_pane(&pane).is_some_and(|tile| self.tree.is_visible(tile))
    }

    /// Panels that can be seen now: of those that share a place only the one in front.
    fn in_front(&self) -> Vec<Pane> {
        self.tree.active_tiles().into_iter().filter_map(|tile| self.tree.tiles.get_pane(&tile).copied()).collect()
    }

    /// Puts a panel in front of those that share its place, unless it is hidden, or one of `others` is there.
    pub(super) fn bring_forward(&mut self, pane: Pane, others: &[Pane]) {
        if self.shows(pane) && !self.in_front().iter().any(|front| *front == pane || others.contains(front)) {
            self.show_pane(pane, true);
        }
    }

    /// Shows a panel, in front of those that share its place, or hides it.
    pub(super) fn show_pane(&mut self, pane: Pane, shown: bool) {
        let Some(tile) = self.tree.tiles.find_pane(&pane) else { return };
        self.tree.set_visible(tile, shown);
        if shown {
            self.tree.make_active(|other, _| other == tile);
        }
    }

    /// Whether it holds every panel once: a file of another version of the program may not.
    pub(super) fn is_whole(&self) -> bool {
        let panes = self.tree.tiles.tiles().filter_map(|tile| match tile {
            Tile::Pane(pane) => Some(*pane),
            Tile::Container(_) => None,
        });
        let panes: Vec<_> = panes.collect();
        let has = |pane: &Pane| panes.iter().filter(|other| *other == pane).count() == 1;
        panes.len() == Pane::ALL.len() + 1 && Pane::ALL.iter().chain([&Pane::Habitat]).all(has)
    }

    /// Draws everything, by `draw` for each pane.
    pub(super) fn show(&mut self, ui: &mut Ui, draw: impl FnMut(&mut Ui, Pane)) {
        if !self.is_touched {
            self.fit(ui.available_size());
        }
        let mut panes = Panes { draw, edited: false };
        self.tree.ui(&mut panes, ui);
        self.is_touched |= panes.edited;
    }

    /// Gives the columns widths, and the rows heights, that suit a window of this size.
    fn fit(&mut self, size: egui::Vec2) {
        let is_narrow = size.x < NARROW;
        if is_narrow != self.is_narrow {
            let hidden: Vec<_> = Pane::ALL.into_iter().filter(|pane| !self.shows(*pane)).collect();
            let front = self.in_front();
            (self.tree, self.is_narrow) = (tree(is_narrow), is_narrow);
            hidden.into_iter().for_each(|pane| self.show_pane(pane, false));
            // Of those that share a place now, the one that was on the left.
            front.into_iter().rev().filter(|pane| *pane != Pane::Habitat).for_each(|pane| self.show_pane(pane, true));
        }
        let Some(root) = self.tree.root() else { return };
        let middle = if is_narrow {
            self.set_shares(root, &[236.0, size.x - 236.0])
        } else {
            let (left, right) = ((size.x * 0.19).clamp(248.0, 300.0), (size.x * 0.26).clamp(316.0, 440.0));
            self.set_shares(root, &[left, size.x - left - right, right])
        };
        let bottom = if is_narrow { size.y * 0.5 } else { (size.y * 0.31).clamp(190.0, 340.0) };
        middle.get(1).map(|middle| self.set_shares(*middle, &[size.y - bottom, bottom]));
    }

    fn set_shares(&mut self, tile: TileId, shares: &[f32]) -> Vec<TileId> {
        let Some(Tile::Container(Container::Linear(linear))) = self.tree.tiles.get_mut(tile) else { return Vec::new() };
        let children = linear.children.clone();
        if children.len() == shares.len() {
            children.iter().zip(shares).for_each(|(child, share)| linear.shares.set_share(*child, *share));
        }
        children
    }
}

struct Panes<F> {
    draw: F,
    edited: bool,
}

impl<F: FnMut(&mut Ui, Pane)> Behavior<Pane> for Panes<F> {
    fn pane_ui(&mut self, ui: &mut Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        if *pane == Pane::Habitat {
            (self.draw)(ui, *pane);
            return UiResponse::None;
        }
        let rect = ui.max_rect();
        ui.painter().rect_filled(rect, 0.0, ink(palette::PANEL));
        let inner = rect - panel_frame().inner_margin;
        let mut inside = ui.new_child(UiBuilder::new().max_rect(inner).id_salt(pane.name()));
        inside.set_clip_rect(rect.intersect(ui.clip_rect()));
        (self.draw)(&mut inside, *pane);
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.name().into()
    }

    fn is_tab_closable(&self, _: &Tiles<Pane>, _: TileId) -> bool {
        true
    }

    fn on_tab_close(&mut self, tiles: &mut Tiles<Pane>, tile: TileId) -> bool {
        // It comes back by the menu.
        tiles.set_visible(tile, false);
        self.edited = true;
        false
    }

    fn simplification_options(&self) -> SimplificationOptions {
        // Columns stay columns, however few there are in them.
        SimplificationOptions {
            prune_single_child_tabs: false,
            prune_single_child_containers: false,
            ..SimplificationOptions::default()
        }
    }

    fn gap_width(&self, _: &Style) -> f32 {
        3.0
    }

    fn min_size(&self) -> f32 {
        120.0
    }

    fn tab_bar_height(&self, _: &Style) -> f32 {
        28.0
    }

    fn tab_bar_color(&self, _: &Visuals) -> Color32 {
        ink(palette::NIGHT)
    }

    fn tab_bg_color(&self, _: &Visuals, _: &Tiles<Pane>, _: TileId, state: &TabState) -> Color32 {
        if state.active { ink(palette::PANEL) } else { Color32::TRANSPARENT }
    }

    fn tab_outline_stroke(&self, _: &Visuals, _: &Tiles<Pane>, _: TileId, _: &TabState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(&self, _: &Visuals, _: &Tiles<Pane>, _: TileId, state: &TabState) -> Color32 {
        ink(if state.active { palette::TEXT } else { palette::TEXT_WEAK })
    }

    fn on_edit(&mut self, action: EditAction) {
        self.edited |= matches!(action, EditAction::TileResized | EditAction::TileDropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_has_a_place_and_is_found_where_it_was_left() {
        let mut dock = Dock::default();
        assert!(dock.is_whole() && Pane::ALL.iter().all(|pane| dock.shows(*pane)));
        let front = |dock: &Dock| {
            let mut front = dock.in_front();
            front.sort_unstable();
            front
        };
        assert_eq!(front(&dock), [Pane::Habitat, Pane::Controls, Pane::Fitness, Pane::Agent]);
        dock.show_pane(Pane::Machine, true);
        dock.show_pane(Pane::Controls, false);
        assert!(!dock.shows(Pane::Controls) && dock.is_whole(), "it is hidden, not gone");
        let kept = serde_json::to_string(&dock).unwrap();
        let found: Dock = serde_json::from_str(&kept).unwrap();
        assert_eq!(front(&found), [Pane::Habitat, Pane::Machine, Pane::Agent]);
        dock.show_pane(Pane::Controls, true);
        assert!(dock.shows(Pane::Controls));
    }

    #[test]
    fn a_panel_comes_forward_unless_it_is_hidden_or_gives_way() {
        let is_in_front = |dock: &Dock, pane: Pane| dock.in_front().contains(&pane);
        let mut dock = Dock::default();
        dock.bring_forward(Pane::WhatIf, &[Pane::Agent]);
        assert!(is_in_front(&dock, Pane::Agent), "another one may stay in front");
        dock.bring_forward(Pane::WhatIf, &[]);
        assert!(is_in_front(&dock, Pane::WhatIf) && !is_in_front(&dock, Pane::Agent));
        dock.show_pane(Pane::Agent, false);
        dock.bring_forward(Pane::Agent, &[]);
        assert!(is_in_front(&dock, Pane::WhatIf) && !dock.shows(Pane::Agent), "who hid it does not want it");
    }

    #[test]
    fn a_dock_without_a_panel_or_with_one_twice_is_not_whole() {
        let mut less = Dock::default();
        let tile = less.tree.tiles.find_pane(&Pane::Log).unwrap();
        less.tree.tiles.remove(tile);
        assert!(!less.is_whole());
        let mut more = Dock::default();
        let _ = more.tree.tiles.insert_pane(Pane::Log);
        assert!(!more.is_whole());
        // As many as there should be, but one of them twice.
        more.tree.tiles.remove(more.tree.tiles.find_pane(&Pane::Machine).unwrap());
        assert!(!more.is_whole());
    }
}
