//! A forwarder that counts what passes, by tenths of a second.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Bytes.
const BUFFER: u32 = 64 << 10;

/// From the client to the server, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// It forwards until its runtime ends.
pub(super) struct Meter {
    address: SocketAddr,
    counted: Shared,
}

type Shared = Arc<Mutex<Counted>>;

struct Counted {
    start: Instant,
    up: Vec<u64>,
    down: Vec<u64>,
}

impl Meter {
    pub(super) async fn start(server: SocketAddr) -> Result<Self> {
        // What lies in buffers of ours is on no wire: those of accepted connections are as small as the listener's.
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(BUFFER)?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(128)?;
        let address = listener.local_addr()?;
        let counted = Arc::new(Mutex::new(Counted { start: Instant::now(), up: Vec::new(), down: Vec::new() }));
        let shared = Arc::clone(&counted);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(forward(from_client, to_server, Way::Up, Arc::clone(&shared)));
                tokio::spawn(forward(from_server, to_client, Way::Down, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, counted })
    }

    /// What the client takes for the server.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts from now on.
    pub(super) fn reset(&self) {
        *self.counted() = Counted { start: Instant::now(), up: Vec::new(), down: Vec::new() };
    }

    /// The bytes of each tenth of a second, from the first to the last that had a thousandth of the most.
    pub(super) fn tenths(&self, way: Way) -> Vec<u64> {
        let counted = self.counted();
        let all = if way == Way::Up { &counted.up } else { &counted.down };
        let floor = all.iter().max().copied().unwrap_or(0) / 1000;
        let some = |bytes: &u64| *bytes > floor;
        let (Some(first), Some(last)) = (all.iter().position(some), all.iter().rposition(some)) else {
            return Vec::new();
        };
        all.get(first..=last).unwrap_or_default().to_vec()
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, counted: Shared) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(got) = from.read(&mut piece).await
        && got > 0
        && to.write_all(piece.get(..got).unwrap_or_default()).await.is_ok()
    {
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = usize::try_from(counted.start.elapsed().as_millis() / 100).unwrap_or(usize::MAX);
        let slots = if way == Way::Up { &mut counted.up } else { &mut counted.down };
        if slots.len() <= nth {
            slots.resize(nth + 1, 0);
        }
        if let Some(slot) = slots.get_mut(nth) {
            *slot += got as u64;
        }
    }
}
