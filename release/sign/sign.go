// Package sign signs files and images with a key, in the forms that cosign verifies: a signature of ASN.1 in base64 beside a file, and
// for an image the tag sha256-DIGEST.sig with a signed payload. It refuses keys other than ECDSA P-256, which cosign makes.
package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// Key signs.
type Key struct{ private *ecdsa.PrivateKey }

// Read reads a private key: PEM with PKCS #8, or as `openssl ecparam -genkey` writes it. A key with a passphrase is not read.
func Read(path string) (Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("read the key: %w", err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return Key{}, fmt.Errorf("read the key: %w", err)
			}
			private, _ := key.(*ecdsa.PrivateKey)
			return checked(private)
		case "EC PRIVATE KEY":
			private, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil {
				return Key{}, fmt.Errorf("read the key: %w", err)
			}
			return checked(private)
		}
	}
	return Key{}, fmt.Errorf("%s has no private key without a passphrase", path)
}

func checked(private *ecdsa.PrivateKey) (Key, error) {
	if private == nil || private.Curve != elliptic.P256() {
		return Key{}, errors.New("the key is not for ECDSA with P-256")
	}
	return Key{private}, nil
}

// Public is the public key as PEM, which those who verify are given.
func (k Key) Public() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Sign signs data, as `cosign sign-blob` and `openssl dgst -sha256 -sign` do, and returns the signature in base64.
func (k Key) Sign(data []byte) (string, error) {
	sum := sha256.Sum256(data)
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}
