package chart

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A released chart has digests, which go before the tag: a tag alone would change nothing, and nobody would see that.
func TestChart_ReleasedRefusesATagThatWouldNotCount(t *testing.T) {
	digest := func(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }
	out := t.TempDir()
	must(t, Archive(folder, out, Release{
		Version: "v1.2.3", Prefix: "registry.example.com/daymark", Time: time.Unix(1750000000, 0),
		Digests: map[string]string{"controller": digest("a"), "speaker": digest("b")},
	}))
	packed := filepath.Join(out, "daymark-1.2.3.tgz")
	own := func(controller, speaker string) map[string]any {
		return map[string]any{
			"tag":        "v1.2.4",
			"controller": map[string]any{"name": "controller", "digest": controller}, "speaker": map[string]any{"name": "speaker", "digest": speaker},
		}
	}
	for _, test := range []struct {
		name  string
		image map[string]any
		gives string // the speaker's image
		says  string
	}{
		{"nothing", nil, ":v1.2.3@" + digest("b"), ""},
		{"another tag", map[string]any{"tag": "v1.2.4"}, "", "image.tag is v1.2.4, and image.controller.digest, which this chart brings along and which counts, is that of v1.2.3: take the chart of v1.2.4"},
		{"the tag that it has", map[string]any{"tag": "v1.2.3"}, ":v1.2.3@" + digest("b"), ""},
		{"another tag, and no digests", own("", ""), ":v1.2.4\n", ""},
		{"another tag with its digests", own(digest("c"), digest("d")), ":v1.2.4@" + digest("d"), ""},
		{"another tag with the digest of one program", own(digest("c"), digest("b")), "", "image.speaker.digest"},
		{
			"the digests of the chart before, without a tag",
			map[string]any{"controller": map[string]any{"digest": digest("c")}, "speaker": map[string]any{"digest": digest("d")}},
			"",
			"image.controller.digest is not that of this chart, and image.tag does not say of which version it is: helm upgrade --reuse-values",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := map[string]any{}
			if test.image != nil {
				values["image"] = test.image
			}
			files, err := Render(packed, values)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("it says %v, want %q", err, test.says)
				}
				return
			}
			must(t, err)
			for _, f := range files {
				if f.Name == "speaker/speaker.yaml" && !strings.Contains(f.Text, "image: registry.example.com/daymark/speaker"+test.gives) {
					t.Errorf("the speaker's image is not %s in\n%s", test.gives, f.Text)
				}
			}
		})
	}
}
