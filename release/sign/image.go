package sign

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The type of a payload, and the annotation with its signature, as cosign's specification of signatures names them.
const (
	payloadType         = types.MediaType("application/vnd.dev.cosign.simplesigning.v1+json")
	annotationSignature = "dev.cosignproject.cosign/signature"
)

// payload is what is signed: that the name has the digest.
type payload struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]string `json:"optional"`
}

// Image signs an image that has been pushed. The payload names it as manifests do, wherever it was pushed to.
func (k Key) Image(ctx context.Context, shipped string, pushed name.Digest, options ...remote.Option) error {
	var p payload
	p.Critical.Identity.Reference, p.Critical.Image.Digest = shipped, pushed.DigestStr()
	p.Critical.Type = "cosign container image signature"
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	signature, err := k.Sign(text)
	if err != nil {
		return err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	signed, err := mutate.Append(base, mutate.Addendum{
		Layer: static.NewLayer(text, payloadType), Annotations: map[string]string{annotationSignature: signature},
	})
	if err != nil {
		return err
	}
	if err := remote.Write(tag(pushed), signed, append(options, remote.WithContext(ctx))...); err != nil {
		return fmt.Errorf("push the signature of %s: %w", pushed, err)
	}
	return nil
}

// tag is where cosign looks for the signatures of an image.
func tag(image name.Digest) name.Tag {
	return image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1) + ".sig")
}
