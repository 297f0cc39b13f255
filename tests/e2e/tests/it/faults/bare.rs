//! A machine that has nothing but the program and the bucket.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;
use tidegate_tests_support::{
    fault_proxy::{Fault, FaultPlan, Rule, When},
    host, s3, wait,
};

use super::scene::{IN_THE_END, Scene};

/// `tidegate restore --from` the scene's bucket.
fn command(scene: &Scene, endpoint: &str, to: &Path, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(host::binary()?);
    command.env_clear().envs(scene.server.env(endpoint));
    let from = format!("s3://{}/faults", scene.server.bucket());
    command.args(["--json", "restore", "--from", &from, "--to"]).arg(to).args(args);
    Ok(command)
}

/// The same, and how it ended.
fn restore(scene: &Scene, to: &Path, args: &[&str]) -> Result<(i32, Output)> {
    let output = command(scene, &scene.server.endpoint(), to, args)?.output()?;
    Ok((output.status.code().context("it was killed")?, output))
}

#[test]
fn a_restore_that_is_called_off_leaves_nothing() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.save("gpt", 7)?;
    scene.wait_replicated("gpt", 7)?;
    // Its bytes are on their way, and do not come.
    let rule = Rule::new(Fault::Delay(Duration::from_secs(600)), When::Always).method("GET").target("/packs/");
    scene.proxy.set_plan(FaultPlan::new(scene.seed).rule(rule));
    let dir = tempfile::tempdir()?;
    let left = || Ok::<_, std::io::Error>(fs::read_dir(dir.path())?.count());
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = command(&scene, &scene.proxy.endpoint(), &dir.path().join("to"), &["gpt"])?.spawn()?;
        wait::until("the beginning of a restore", IN_THE_END, || Ok((left()? == 1).then_some(())))?;
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal)?;
        ensure!(child.wait()?.code() == Some(130), "{signal:?}");
        ensure!(left()? == 0, "{signal:?}: something stays behind");
    }
    Ok(())
}

#[test]
fn the_bucket_alone_is_enough_and_of_damaged_bytes_nothing_comes() -> Result<()> {
    let mut scene = Scene::new()?;
    for step in [7, 8] {
        scene.save("gpt", step)?;
        scene.wait_replicated("gpt", step)?;
    }
    scene.host.kill9()?;
    let dir = tempfile::tempdir()?;
    let to = |name: &str| dir.path().join(name);

    let (code, output) = restore(&scene, &to("latest"), &["gpt"])?;
    ensure!(code == 0, "{output:?}");
    scene.exact("gpt", 8, &to("latest"))?;
    let told: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(told["step"] == 8 && told["bytes"] == scene.bytes("gpt", 8) && told["passed_over"] == Value::Array(vec![]));

    let (code, output) = restore(&scene, &to("one"), &["gpt", "--step", "7", "--ranks", "1"])?;
    ensure!(code == 0 && fs::read_dir(to("one"))?.count() == 1 && to("one/rank-00001").is_dir(), "{output:?}");

    // What can't be done says so, with the code for it, and leaves what is there alone.
    let refusals: [(&str, &[&str], i32, &str); 5] = [
        ("x", &["nobody"], 3, "run nobody"),
        ("x", &["gpt", "--step", "9"], 3, "step 9"),
        ("x", &["gpt", "--ranks", "2"], 2, "2 is none of 2 ranks"),
        ("x", &["gpt", "--set", "hunter2"], 2, "a name, =, and a value"),
        ("latest", &["gpt"], 4, "exists already"),
    ];
    for (name, args, wanted, words) in refusals {
        let (code, output) = restore(&scene, &to(name), args)?;
        let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(code == wanted && said.contains(words) && !said.contains("hunter2"), "{args:?}: {code}: {said}");
    }
    scene.exact("gpt", 8, &to("latest"))?;

    // A byte that is not what it was: its size tells nothing, its digest does.
    let object = &scene.objects("gpt", 8, "/00001/packs/")?[0];
    let mut bytes = s3::get(&scene.server, object)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    s3::put(&scene.server, object, bytes)?;
    let (code, output) = restore(&scene, &to("x"), &["gpt"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(code == 1 && said.contains("--or-older"), "{code}: {said}");
    let (code, output) = restore(&scene, &to("older"), &["gpt", "--or-older"])?;
    ensure!(code == 0, "{output:?}");
    scene.exact("gpt", 7, &to("older"))?;
    let told: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(told["step"] == 7 && told["passed_over"][0]["step"] == 8, "{told}");

    let mut left: Vec<_> = fs::read_dir(dir.path())?.map(|entry| Ok(entry?.file_name())).collect::<Result<_>>()?;
    left.sort();
    ensure!(left == ["latest", "older", "one"], "{left:?}");
    Ok(())
}
