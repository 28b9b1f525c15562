mkdir -p a/b/c; echo x > a/b/c/f; cp a/b/c/f g; cat g; cp -r a z; cat z/b/c/f
mv g h; ls; ls a; ls -a a/b; rm h; ls h 2>/dev/null || echo gone
rm -r z; rmdir a/b 2>/dev/null || echo notempty; rm -rf a/b; rmdir a; ls | wc -l
touch 1 2 .hidden; ls; ls -A; echo *; echo .h*; echo [12]; echo nomatch*
ln -s 1 link; readlink link; echo data > 1; cat link; rm link; cat 1
mkdir dir; mv 1 2 dir; ls dir; cp dir/1 dir/copy; cmp dir/1 dir/copy && echo same
cd dir; pwd | sed 's,.*/,,'; cd ..; basename /a/b.txt .txt; dirname /a/b.txt; dirname x
find dir -type f | sort; find dir -name 'c*'
t=$(mktemp ./t.XXXXXX); [ -f "$t" ] && echo made; rm -f "$t" missing; echo $?
rm missing 2>/dev/null; echo $?
cp nope there 2>/dev/null; echo $?; mv nope there 2>/dev/null; echo $?
cat nope 2>/dev/null; echo $?; mkdir dir 2>/dev/null; echo $?
