sh -c 'if true; then' 2>/dev/null; echo $?
sh -c 'echo "unterminated' 2>/dev/null; echo $?
sh -c 'echo )' 2>/dev/null; echo $?
sh -c 'for do done' 2>/dev/null; echo $?
sh -c 'fi' 2>/dev/null; echo $?
echo if then else fi done; echo {a,b}; echo }
echo a;echo b&&echo c||echo d
if [ 1 = 1 ];then echo tight;fi
for i in 1 2;do echo $i;done
x=a;y=$x;echo $y#z
echo 'a'"b"`echo c`$(echo d)
f(){ echo f;};f
case a in (a) echo paren;; esac
! { false; } && echo neg
