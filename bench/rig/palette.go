package main

import (
	"cmp"
	"image"
	"image/color"
	"maps"
	"slices"
)

// oftenColours is how many colours of a picture are those that it has most often.
const oftenColours = 192

// paletted is a picture of a page in at most 256 colours, and the nearest of them for
// all others: those that it has most often, then those that would be missed most. Pages
// have few colours, and what is rare is the edges of letters, or that a site is down.
func paletted(img image.Image) *image.Paletted {
	b := img.Bounds()
	counts := map[color.NRGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[nrgba(img.At(x, y))]++
		}
	}
	often := slices.SortedFunc(maps.Keys(counts), func(a, c color.NRGBA) int {
		return cmp.Or(cmp.Compare(counts[c], counts[a]), cmp.Compare(a.R, c.R), cmp.Compare(a.G, c.G), cmp.Compare(a.B, c.B))
	})
	p := image.NewPaletted(b, nil)
	for _, c := range often[:min(oftenColours, len(often))] {
		p.Palette = append(p.Palette, c)
	}
	p.Palette = append(p.Palette, missed(p.Palette, often[len(p.Palette):], counts)...)
	index := make(map[color.NRGBA]uint8, len(often))
	for _, c := range often {
		index[c] = uint8(p.Palette.Index(c))
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p.SetColorIndex(x, y, index[nrgba(img.At(x, y))])
		}
	}
	return p
}

// missed lists the colours that are farthest from all that there are, the more often
// they are the sooner, as many as a palette has room for.
func missed(have color.Palette, others []color.NRGBA, counts map[color.NRGBA]int) (chosen color.Palette) {
	far := make([]int, len(others)) // from the nearest
	for i, c := range others {
		far[i] = distance(c, have[have.Index(c)])
	}
	for len(have)+len(chosen) < 256 {
		most, at := 0, -1
		for i, c := range others {
			if m := far[i] * counts[c]; m > most {
				most, at = m, i
			}
		}
		if at < 0 {
			break
		}
		chosen = append(chosen, others[at])
		for i, c := range others {
			far[i] = min(far[i], distance(c, others[at]))
		}
	}
	return chosen
}

func distance(a, b color.Color) int {
	x, y := nrgba(a), nrgba(b)
	r, g, u := int(x.R)-int(y.R), int(x.G)-int(y.G), int(x.B)-int(y.B)
	return r*r + g*g + u*u
}

func nrgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }
