// Package browsertest drives a real browser, Chromium, for tests of what is seen in it. It is for tests alone. Where CI is set a test
// fails for a browser that is missing.
package browsertest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// patience is how long a test may use a browser.
const patience = 3 * time.Minute

// Need something that a test cannot do without. Where CI is set the test fails for what is missing, so that nobody believes to have
// tested it.
func Need(t *testing.T, err error) {
	t.Helper()
	switch {
	case err == nil:
	case testnet.MayMiss():
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// Tab is the one tab of a browser.
type Tab struct {
	t *testing.T
	// tab is what chromedp calls the tab.
	tab context.Context //nolint:containedctx // it is the tab
}

// New starts a browser, which ends with the test.
func New(t *testing.T) *Tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	Need(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox)
	ctx, stop := context.WithTimeout(context.Background(), patience)
	allocator, end := chromedp.NewExecAllocator(ctx, options...)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // the browser's folder goes when it has ended
		closeTab()
		end()
		stop()
	})
	b := &Tab{t, tab}
	b.do(chromedp.EmulateViewport(1120, 860))
	return b
}

func (b *Tab) do(step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.tab, step); err != nil {
		b.t.Fatal(err)
	}
}

// call a command of the browser's protocol.
func call[P, R any](b *Tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.tab, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// PreferColours light or dark.
func (b *Tab) PreferColours(name string) {
	b.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}

// WithoutScripts loads pages from now on as a browser does that runs none.
func (b *Tab) WithoutScripts() {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// First runs a script in each page before its own.
func (b *Tab) First(script string) {
	b.t.Helper()
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// Open a page.
func (b *Tab) Open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// Type a text where a CSS selector says.
func (b *Tab) Type(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Click where a CSS selector says.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// Do what a script says.
func (b *Tab) Do(script string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](script))
}

// Text that an expression, or its promise, evaluates to.
func (b *Tab) Text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.tab, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v: %.200s", err, expression)
	}
	return text
}

// Until waits until an expression is true. A page that is just loaded knows nothing of it: errors are waited over.
func (b *Tab) Until(condition string) {
	b.t.Helper()
	for {
		met, err := chromedp.Run(b.tab, chromedp.Evaluate[bool](condition))
		if err == nil && met {
			return
		}
		select {
		case <-b.tab.Done():
			b.t.Fatalf("it does not come to be: %s: %v", condition, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Picture of what is seen, as PNG.
func (b *Tab) Picture() []byte {
	b.t.Helper()
	data, err := chromedp.Run(b.tab, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}
