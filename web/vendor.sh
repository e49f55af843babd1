#!/bin/sh
# Fetches the vendored front-end files with npm, in exactly these versions, and
# refuses a package that is not the one that was looked at. Run by make vendor-web.
set -eu
cd "$(dirname "$0")"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# fetch NAME VERSION SHA512 unpacks a package of the npm registry to $dir/NAME.
fetch() {
  file=$(cd "$dir" && npm pack --silent "$1@$2")
  got=$(openssl dgst -sha512 -binary "$dir/$file" | openssl base64 -A)
  if [ "$got" != "$3" ]; then
    echo "vendor.sh: $1 $2 has the SHA-512 $got, not $3" >&2
    exit 1
  fi
  mkdir "$dir/$1"
  tar -xzf "$dir/$file" -C "$dir/$1" --strip-components 1
}

uplot=1.6.32
fetch uplot $uplot KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==
axe=4.14.1
fetch axe-core $axe FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==

cp "$dir/uplot/dist/uPlot.iife.min.js" "$dir/uplot/dist/uPlot.min.css" static/vendor/
cp "$dir/uplot/LICENSE" static/vendor/uPlot.LICENSE
cat > static/vendor/README.md <<END
# Vendored files

Unchanged files from the npm registry, so that the pages need neither a build
nor the internet.

| file | package | version | licence |
| --- | --- | --- | --- |
| \`uPlot.iife.min.js\`, \`uPlot.min.css\` | uplot | $uplot | MIT (\`uPlot.LICENSE\`) |

To update: change version and hash in \`web/vendor.sh\`, run \`make vendor-web\`.
END

mkdir -p testdata/axe
cp "$dir/axe-core/axe.min.js" "$dir/axe-core/LICENSE" "$dir/axe-core/LICENSE-3RD-PARTY.txt" testdata/axe/
cat > testdata/axe/README.md <<END
# Vendored files of the tests

Unchanged files from the npm registry, which the browser tests put into pages to
look for barriers. They are part of no binary.

| file | package | version | licence |
| --- | --- | --- | --- |
| \`axe.min.js\` | axe-core | $axe | MPL-2.0 (\`LICENSE\`; of what it contains: \`LICENSE-3RD-PARTY.txt\`) |

To update: change version and hash in \`web/vendor.sh\`, run \`make vendor-web\`.
END
