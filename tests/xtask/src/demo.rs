//! `cargo xtask demo`: the main job, on this machine, with everything real, and a table of what was seen at the end.

mod table;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use tidegate_tests_support::{
    first_light::{Model, Plan, Report, Say, Scene},
    seaweed::SeaweedFs,
    venv,
};

use crate::{plugins, step::Step, workspace};

/// How the demo runs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A model of 0.1 million parameters instead of 10.8: a minute, and sizes that say nothing about speed
    #[arg(long)]
    quick: bool,
    /// Object storage is an S3 server (SeaweedFS from PyPI) instead of a directory
    #[arg(long)]
    s3: bool,
    /// Keep the folder with everything that was written
    #[arg(long)]
    keep: bool,
}

/// Runs it. Fails when a loss is another, or when anything that is promised does not hold.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = workspace::root()?;
    let mut acts = Acts { root: root.clone(), done: 0, all: 10 };
    let binary = acts.play("build the host, release", |step| build(&root, step))?;
    let plugins = acts.play("build the plugins", |step| {
        plugins::build(&root, &mut |line| step.say(line))?;
        Ok(root.join(plugins::FOLDER))
    })?;
    acts.play("make the Python environment", |step| {
        step.say("jax, optax and safetensors from PyPI, unless they are in the cache");
        venv::train_venv().map(drop)
    })?;
    let folder = Folder::make(&root)?;
    let model = if args.quick { Model::Small } else { Model::Base };
    let mut plan = Plan::new(model, &folder.path);
    plan.host = plan.host.with_binary(&binary).arg("--plugins").arg(plugins);
    // Dropped last: the host may still talk to it.
    let server = args.s3.then(|| SeaweedFs::start(&folder.path.join("weed"))).transpose()?;
    if let Some(server) = &server {
        plan.host = plan.host.object(&format!("s3://{}/demo", server.bucket())).envs(server.env(&server.endpoint()));
    }
    let played = play(&mut acts, plan.clone());
    let report = match played {
        Ok(report) => report,
        Err(error) => return Err(error.context(format!("everything is kept in {}", folder.path.display()))),
    };
    print!("{}", table::render(&plan, &report, if args.s3 { "SeaweedFS" } else { "a directory" }));
    if args.keep || !report.comparison.holds() {
        println!("everything is kept in {}", folder.path.display());
    } else {
        drop(server);
        folder.remove()?;
    }
    Ok(if report.comparison.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play(acts: &mut Acts, plan: Plan) -> Result<Report> {
    let (steps, crash, last) = (plan.steps, plan.crash_at, plan.last_complete());
    let mut scene = Scene::new(plan)?;
    acts.say(&format!("train {steps} steps without interruption"), |say| scene.baseline(say))?;
    acts.say("start tidegate dev", |_| scene.start_host())?;
    let name = format!("train on two ranks; kill -9 one in the middle of its save of step {crash}");
    acts.say(&name, |say| scene.train_and_kill(say))?;
    acts.say("wait until every complete checkpoint is in object storage", |say| scene.settle(say))?;
    acts.say("stop the host and delete its whole NVMe tier", |_| scene.lose_tier())?;
    acts.say("start the host again, with nothing but the object tier", |_| scene.restart_host())?;
    acts.say(&format!("restore step {last} and train on to step {steps}"), |say| scene.resume(say))?;
    scene.settle(&mut |_| {})?;
    scene.end()
}

/// Steps with their positions.
struct Acts {
    root: PathBuf,
    done: usize,
    all: usize,
}

impl Acts {
    fn play<T>(&mut self, name: &str, work: impl FnOnce(&mut Step<'_>) -> Result<T>) -> Result<T> {
        self.done += 1;
        let position = format!("{}/{}", self.done, self.all);
        let mut step = Step::begin(name, &position, &self.root.join("target/xtask"))?;
        let outcome = work(&mut step);
        step.end(if outcome.is_ok() { "ok" } else { "FAIL" }, outcome.as_ref().err());
        outcome.with_context(|| name.to_owned())
    }

    fn say<T>(&mut self, name: &str, work: impl FnOnce(Say<'_>) -> Result<T>) -> Result<T> {
        self.play(name, |step| work(&mut |line| step.say(line)))
    }
}

/// The release build of the host, which others measure as well.
pub(crate) fn build(root: &Path, step: &mut Step<'_>) -> Result<PathBuf> {
    let mut command = workspace::cargo(root);
    command.args(["build", "--release", "--package", "tidegate"]);
    step.must(command)?;
    Ok(root.join("target/release/tidegate"))
}

/// The demo's folder: new each time, in the build folder, whose file system is a real one. A socket's path is short, so a
/// deep workspace makes it a folder of the system's instead.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make(root: &Path) -> Result<Self> {
        let wanted = root.join("target/demo");
        let path = if wanted.as_os_str().len() < 80 { wanted } else { std::env::temp_dir().join("tidegate-demo") };
        let folder = Self { path };
        folder.remove()?;
        fs::create_dir_all(&folder.path)?;
        Ok(folder)
    }

    fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}
