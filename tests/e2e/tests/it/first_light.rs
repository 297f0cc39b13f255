//! The main job: a real model is trained on two ranks, saved, copied by one bot and pruned by another; a trainer is killed
//! in the middle of a save, the tier is lost, and the run goes on from object storage as if nothing had been. The acts, and
//! what each of them checks, are in `tidegate_tests_support::first_light`.

use tidegate_tests_support::{
    first_light::{Model, Plan, Report, Scene},
    seaweed::SeaweedFs,
};

/// What must hold wherever the objects are.
fn check(report: &Report, plan: &Plan) {
    assert!(report.comparison.holds(), "{:#?}", report.comparison);
    assert!(report.comparison.last < report.comparison.first, "the loss falls: {:?}", report.comparison);
    assert_eq!(report.resumed_from, plan.last_complete());
    // Both ranks saved at every step before the crash and at each after the resume. Rank 0 committed in the crash's step
    // too, and may have got further; it is killed, perhaps before it could write its log.
    let (before, after) = (plan.last_complete() / plan.every, (plan.steps - plan.last_complete()) / plan.every);
    let (saves, least) = (report.saves.len() as u64, 2 * (before + after));
    assert!((least..=least + after).contains(&saves), "{saves} saves, at least {least} expected");
    assert_eq!(report.durable_s.len() as u64, before + after, "every complete checkpoint was copied");
    assert!(report.shipped > 0 && report.tier_bytes > 0);
    assert_eq!(report.trouble, [""; 0]);
    // The last three stay; those before went from NVMe and from nowhere else, each with its reason.
    let pruned: Vec<u64> = report.pruned.iter().map(|pruned| pruned.step).collect();
    assert_eq!(pruned, [plan.every, 2 * plan.every, 6 * plan.every], "{:#?}", report.pruned);
    assert!(
        report.pruned.iter().all(|it| it.tier == "nvme" && it.by == "prune" && it.reason == "not among the last 3")
    );
}

#[test]
fn a_run_survives_a_kill_in_a_save_and_the_loss_of_the_tier_with_a_directory_as_object_storage() {
    let dir = tempfile::tempdir().unwrap();
    let plan = Plan::new(Model::Small, dir.path());
    let report = Scene::new(plan.clone()).unwrap().play(&mut |line| println!("{line}")).unwrap();
    check(&report, &plan);
}

#[test]
fn a_run_survives_a_kill_in_a_save_and_the_loss_of_the_tier_with_an_s3_server_as_object_storage() {
    let dir = tempfile::tempdir().unwrap();
    let server = SeaweedFs::start(&dir.path().join("weed")).unwrap();
    let mut plan = Plan::new(Model::Small, dir.path());
    plan.host = plan.host.object(&format!("s3://{}/first-light", server.bucket())).envs(server.env(&server.endpoint()));
    let report = Scene::new(plan.clone()).unwrap().play(&mut |line| println!("{line}")).unwrap();
    check(&report, &plan);
}
