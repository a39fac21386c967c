import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundle, canonicalAddress, certificateFacts, fingerprintOfPem } from './certificates.ts'
import { VaultError } from './vault-error.ts'

/** Made with: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=x -addext subjectAltName=… */
const withOddNames = `-----BEGIN CERTIFICATE-----
MIIBszCCAVigAwIBAgIUZbAdpNAK9LKq7uACyEktwC4tfdowCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAgFw0yNjExMjExMTE5MjdaGA8yMTI2MTAyODExMTkyN1ow
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPeX872xGJt3
eZztjqHfddM94htMGvg/OHUbkHbDAxqiKjORu/V1aHL0bWcHQ4BPkIceiuy3Hu/V
e/oPygzMy3ejgZUwgZIwcQYDVR0RBGowaIIJYS5leGFtcGxlggsqLmIuZXhhbXBs
ZYIXY29tbWEsIEROUzpldmlsLmV4YW1wbGWHBAoAAAGHEAAAAAAAAAAAAAAAAAAA
AAGHECABDbgAAAAAAAAAAAAAAAqBC2FAYi5leGFtcGxlMB0GA1UdDgQWBBRD0sIW
+HDvvChV/iEn99Nh6uDTUjAKBggqhkjOPQQDAgNJADBGAiEAnbxFFn6RYHx7paVU
fcGZeDShtTpqRhrntj24ULORu7cCIQDvVgsQQsWF+B2oZxaOUZeOiiPZ1GwBO8ic
7uHMZ0whbw==
-----END CERTIFICATE-----
`
const other = `-----BEGIN CERTIFICATE-----
MIIBeDCCAR2gAwIBAgIUE2n+24yBXUz5/zSZSgeg+Fqpjd4wCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIxMTExOTI3WhgPMjEyNjEwMjgxMTE5
MjdaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
HBG8M6kc+iMgwRd5yyzw0blyZ1/Mjb+yEm4PXZigduIv566vc8hZ/lPBlHzX2r1M
4tl7qFdXenSDBBLqcZDMyKNTMFEwHQYDVR0OBBYEFANvbYYZFp9Zlg7YsL5Exvvm
mc3wMB8GA1UdIwQYMBaAFANvbYYZFp9Zlg7YsL5Exvvmmc3wMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhALpdCHOmxEUBZgsQuLA/X3qw4nPpItaI
ruHaXYXHn9UuAiEA2GqfpNhNx620LACD2TrOZ6VW2+EbEnON6gFObnfn+jw=
-----END CERTIFICATE-----
`

test('facts are read off a certificate that somebody else made', () => {
  assert.deepEqual(certificateFacts(withOddNames), {
    notBefore: new Date('2026-11-21T11:19:27Z'),
    notAfter: new Date('2126-10-28T11:19:27Z'),
    fingerprint: '2a14cbf007e5cc1ca04f251f37f0dc417c66a53bd5bba8adb7e16e245093f94c',
    dnsNames: ['a.example', '*.b.example', 'comma, DNS:evil.example'],
    ips: ['10.0.0.1', '::1', '2001:db8::a'],
  })
  assert.deepEqual([certificateFacts(other).dnsNames, certificateFacts(other).ips], [[], []])
})

test('a bundle has every certificate once, in order, and reads back as a bundle', () => {
  const text = bundle([`comment\n${withOddNames}`, other.replaceAll('\n', '\r\n'), withOddNames])
  assert.equal(text, `${withOddNames}${other}`)
  assert.equal(bundle([text, other]), text)
  assert.equal(bundle([]), '')
  assert.equal(fingerprintOfPem(text), fingerprintOfPem(withOddNames))
})

test('what is no certificate is refused', () => {
  for (const text of ['', 'x', withOddNames.slice(0, 200), other.replace('MII', 'MIA')]) {
    const refused = (error: unknown) => error instanceof VaultError && error.code === 'certificate'
    assert.throws(() => certificateFacts(text), refused)
    assert.throws(() => fingerprintOfPem(text), refused)
    assert.throws(() => bundle([other, text]), refused)
  }
})

test('addresses are compared in one form', () => {
  assert.equal(canonicalAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  assert.equal(canonicalAddress('127.0.0.1'), '127.0.0.1')
  assert.equal(canonicalAddress('example'), 'example')
})
