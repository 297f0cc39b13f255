#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
use std::time::Instant;
use tidegate_client::{api, Address, Client};
fn stats(name: &str, mut v: Vec<f64>) { v.sort_by(f64::total_cmp); println!("{name}: p50 {:.1} us p90 {:.1} p99 {:.1}", v[v.len()/2], v[v.len()*9/10], v[v.len()*99/100]); }
fn main() {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let c = Client::new(std::env::args().nth(1).map_or(Address::from_env(), |a| a.parse().unwrap()));
        let run = format!("lat-{}", std::process::id());
        let (mut h, mut b, mut k) = (vec![], vec![], vec![]);
        for _ in 0..2000 { let t = Instant::now(); c.saves().await.unwrap(); h.push(t.elapsed().as_secs_f64()*1e6); }
        for step in 0..300 {
            let t = Instant::now();
            let s = c.begin(&api::Begin { run: run.clone(), step, rank: 0, world_size: 1, bytes: Some(5) }).await.unwrap();
            b.push(t.elapsed().as_secs_f64()*1e6);
            std::fs::write(format!("{}/f", s.path), b"hello").unwrap();
            let t = Instant::now();
            c.commit(&s.save_id, &api::Commit::default()).await.unwrap();
            k.push(t.elapsed().as_secs_f64()*1e6);
        }
        stats("GET saves", h); stats("begin", b); stats("commit", k);
    });
}
