//! What the kernel says of a TCP connection (`TCP_INFO`).

use std::{net::TcpStream, os::fd::AsRawFd as _};

/// Of one connection, since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Segments sent for the first time, acknowledgements among them.
    pub(super) segments: u64,
    /// Segments sent again.
    pub(super) retransmitted: u64,
}

/// Offsets in `struct tcp_info` (include/uapi/linux/tcp.h), whose fields keep their places: `tcpi_total_retrans`, and
/// `tcpi_segs_out` (Linux 4.2), which counts retransmissions as well. The C library's struct ends before it.
const TOTAL_RETRANS: usize = 100;
const SEGS_OUT: usize = 136;

/// None where the kernel does not say it.
pub(super) fn of(stream: &TcpStream) -> Option<Told> {
    let mut bytes = [0_u8; 256];
    let mut length = libc::socklen_t::try_from(bytes.len()).ok()?;
    // SAFETY: the buffer and its length live through the call, and the kernel writes no more than the length says.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return None;
    }
    let told = bytes.get(..usize::try_from(length).ok()?)?;
    let number = |at: usize| {
        let four = told.get(at..at + 4)?.first_chunk()?;
        Some(u64::from(u32::from_ne_bytes(*four)))
    };
    let (sent, retransmitted) = (number(SEGS_OUT)?, number(TOTAL_RETRANS)?);
    Some(Told { segments: sent.saturating_sub(retransmitted), retransmitted })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;

    #[test]
    fn segments_of_a_connection_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.set_nodelay(true).unwrap();
        let before = of(&client).unwrap();
        for _ in 0..10 {
            client.write_all(&[1]).unwrap();
            server.read_exact(&mut [0]).unwrap();
        }
        let after = of(&client).unwrap();
        assert!(after.segments - before.segments >= 10, "{before:?} {after:?}");
        assert!(after.segments < 1000 && after.retransmitted < 1000, "{after:?}");
    }
}
