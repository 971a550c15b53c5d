//! Path MTUs of the route cache. The kernel lists them where a dump asks for `RTM_F_CLONED` with strict checking (since Linux
//! 5.3), and nothing else then. One of IPv4 is listed once a packet was routed by it (`fib_dump_info_fnhe`): a sender that goes on.

use super::{decode, rows::rows, socket::Request, source::Source};
use crate::{
    facts::{Bounded, netlink::PmtuException},
    observed::Observed,
};

/// `RTM_F_CLONED` (0x200) in the bytes of `rtm_flags`.
const CLONED: (usize, u8) = if cfg!(target_endian = "little") { (9, 2) } else { (10, 2) };
/// Exceptions that are read. Whoever can send ICMP messages makes them: a route has up to 10,240 (`FNHE_HASH_SIZE` times
/// `FNHE_RECLAIM_DEPTH`).
const MOST: usize = 4096;
/// Exceptions that are read of a pod, of each family: of a thousand pods none takes more than its share.
const MOST_OF_POD: usize = 128;

impl Source {
    /// The IPv4 path MTUs that were learned in this namespace.
    pub fn pmtu_exceptions_v4(&self) -> Observed<Bounded<PmtuException>> {
        self.pmtu_exceptions("IPv4 path MTUs", libc::AF_INET, MOST)
    }

    /// The IPv6 path MTUs that were learned in this namespace.
    pub fn pmtu_exceptions_v6(&self) -> Observed<Bounded<PmtuException>> {
        self.pmtu_exceptions("IPv6 path MTUs", libc::AF_INET6, MOST)
    }

    /// The IPv4 path MTUs that were learned in this namespace, a pod's.
    pub fn pod_pmtu_exceptions_v4(&self) -> Observed<Bounded<PmtuException>> {
        self.pmtu_exceptions("IPv4 path MTUs of a pod", libc::AF_INET, MOST_OF_POD)
    }

    /// The IPv6 path MTUs that were learned in this namespace, a pod's.
    pub fn pod_pmtu_exceptions_v6(&self) -> Observed<Bounded<PmtuException>> {
        self.pmtu_exceptions("IPv6 path MTUs of a pod", libc::AF_INET6, MOST_OF_POD)
    }

    fn pmtu_exceptions(
        &self,
        table: &'static str,
        family: i32,
        most: usize,
    ) -> Observed<Bounded<PmtuException>> {
        let family = u8::try_from(family).unwrap_or(0);
        let (at, cloned) = CLONED;
        let request = Request::new(table, libc::RTM_GETROUTE, 12).byte(0, family).byte(at, cloned);
        rows(&self.socket, &request, most, |frame| {
            // Without IPv6 in the kernel, a request for its routes is answered with those of every family.
            let is_wanted = frame.kind == libc::RTM_NEWROUTE && frame.payload.first() == Some(&family);
            if is_wanted { decode::exception(frame.payload) } else { Ok(None) }
        })
    }
}
