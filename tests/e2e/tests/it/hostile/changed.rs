//! Components that are cut, and components of which one bit is not as it was.

use tidegate_tests_support::guest;

use super::{
    fixture::{End, Fixture},
    play::is_clean,
    scene::Scene,
    table::Table,
};
use crate::{ask::number, bad_input::site::check};

const CUTS: usize = 24;
const FLIPS: u64 = 48;

/// A component that does no harm.
pub(super) fn whole() -> Vec<u8> {
    let set = guest::STATE_SET;
    guest::component(set, "(call $state_set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64))")
        .unwrap()
}

impl Scene {
    /// A component that ends early is none, wherever it ends.
    pub(super) fn cut(&self, table: &mut Table) {
        let whole = whole();
        for part in 0..CUTS {
            let cut = &whole[..whole.len() * part / CUTS];
            let problem = check(&self.site.upload(cut), "TG0021", &format!("{} of {} bytes", cut.len(), whole.len()));
            assert!(is_clean(&problem.detail), "{}", problem.detail);
        }
        table.add(self.row(&format!("truncated, {CUTS} lengths"), "all refused at upload: TG0021".into()));
    }

    /// A bit that flipped makes bytes that are refused, or another component, which is held to the same bounds.
    pub(super) fn flip(&mut self, table: &mut Table) {
        let seed = number("TIDEGATE_TEST_SEED").unwrap().unwrap_or_else(|| fastrand::u64(..));
        println!("TIDEGATE_TEST_SEED={seed}");
        let whole = whole();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut standing = Vec::new();
        let (mut not_uploaded, mut not_installed) = (0, 0);
        for nth in 0..FLIPS {
            let (mut component, at) = (whole.clone(), random.usize(..whole.len()));
            component[at] ^= 1 << random.u8(..8);
            let name = format!("flipped-{nth}");
            let fixture = Fixture::new(&name, component, End::Runs);
            let response = self.site.upload(&fixture.component);
            if response.status != 201 {
                let detail = check(&response, "TG0021", &name).detail;
                assert!(is_clean(&detail), "{name}: {detail:?}");
                not_uploaded += 1;
                continue;
            }
            // The same bytes make the same plugin: a bit may be flipped twice.
            let digest = response.json().unwrap()["digest"].as_str().unwrap().to_owned();
            let response = self.put(&fixture, &digest);
            if response.status == 200 {
                standing.push(fixture);
            } else {
                let detail = check(&response, "TG0022", &name).detail;
                assert!(is_clean(&detail), "{name}: {detail:?}");
                not_installed += 1;
            }
        }
        let committed = self.provoke();
        let ended: Vec<_> = standing.iter().map(|it| self.until_ended(&it.name, &committed)).collect();
        let quarantined = ended.iter().filter(|bot| bot.state == "quarantined").count();
        standing.iter().for_each(|it| self.leave(it));
        let ran = standing.len() - quarantined;
        let how = format!(
            "{not_uploaded} refused at upload, {not_installed} at installation, {quarantined} quarantined, {ran} ran"
        );
        table.add(self.row(&format!("one bit flipped, {FLIPS} places"), how));
    }
}
