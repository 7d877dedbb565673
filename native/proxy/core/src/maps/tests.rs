use super::*;

#[test]
fn an_origin_is_read_as_the_kernel_wrote_it() {
    let mut bytes = [0; ORIGIN_BYTES];
    bytes[15] = 1;
    bytes[31] = 2;
    bytes[32..34].copy_from_slice(&80u16.to_ne_bytes());
    bytes[34..36].copy_from_slice(&8080u16.to_ne_bytes());
    for (index, word) in [7u32, 8, 9].into_iter().enumerate() {
        bytes[36 + index * 4..40 + index * 4].copy_from_slice(&word.to_ne_bytes());
    }
    let origin = Origin::decode(&bytes);
    assert_eq!((origin.dialled.0.port, origin.endpoint.0.port), (80, 8080));
    assert_eq!((origin.dialled.0.address.bytes()[15], origin.endpoint.0.address.bytes()[15]), (1, 2));
    assert_eq!((origin.source_workload, origin.destination_workload, origin.service), (7, 8, 9));
}

#[test]
fn an_exemption_says_who_the_client_is_and_that_it_is_the_last_hop() {
    let client = Endpoint { address: Address::from(std::net::IpAddr::from([10, 0, 0, 1])), port: 4660 };
    let exemption =
        Exemption { client: Some(ClientAddr(client)), admit: true, source_workload: 5, destination_workload: 6 };
    let bytes = exemption.encode();
    assert_eq!(bytes[..16], client.address.bytes());
    assert_eq!(bytes[16..18], 4660u16.to_ne_bytes());
    assert_eq!(bytes[20..24], 1u32.to_ne_bytes());
    assert_eq!(bytes[24..28], 5u32.to_ne_bytes());
    assert_eq!(bytes[28..32], 6u32.to_ne_bytes());
    assert_eq!(Exemption::PLAIN.encode(), [0; EXEMPTION_BYTES]);
}
